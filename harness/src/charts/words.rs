//! Words: how wide a text is, and where it can be broken.

/// The width of a text in a sans-serif font of this size, taken a little too wide rather than too narrow: which font the
/// reader has is not known here.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(letter).sum::<f64>() * size
}

/// The text in lines that are no wider than this; a word is never broken.
pub(super) fn wrap(text: &str, size: f64, limit: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line, size) + letter(' ') * size + width(word, size) <= limit => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// As much of the text as fits, with an ellipsis if something is missing.
pub(super) fn fit(text: &str, size: f64, limit: f64) -> String {
    if width(text, size) <= limit {
        return text.to_owned();
    }
    let mut left = limit - letter('…') * size;
    let kept = text.chars().take_while(|next| {
        left -= letter(*next) * size;
        left >= 0.0
    });
    kept.chain(['…']).collect()
}

/// The width of a letter in DejaVu Sans, the widest of the usual fonts, in shares of the size.
fn letter(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | '\'' => 0.29,
        ' ' | '.' | ',' | ':' | ';' | '|' | 'I' | 'f' | 't' | '(' | ')' | '-' | '/' => 0.38,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 0.98,
        'A'..='Z' => 0.72,
        '=' | '<' | '>' | '+' | '×' | '≥' | '≤' | '−' => 0.84,
        _ => 0.62,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_within_the_limit_and_lose_nothing() {
        let text = "no line is wider than it may be, and all of the words are still there";
        let lines = wrap(text, 12.0, 120.0);
        assert!(lines.len() > 3);
        assert!(lines.iter().all(|line| width(line, 12.0) <= 120.0), "{lines:?}");
        assert_eq!(lines.join(" "), text);
    }

    #[test]
    fn what_does_not_fit_ends_in_an_ellipsis() {
        assert_eq!(fit("short", 12.0, 100.0), "short");
        let cut = fit("a label that is much too long", 12.0, 100.0);
        assert!(cut.ends_with('…') && width(&cut, 12.0) <= 100.0, "{cut}");
    }
}
