//! Mistake in an experiment file, shown at its place.

use std::{fmt, ops::Range};

/// What is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistake {
    /// Which experiment: a path, or the name of one that is built in.
    pub experiment: String,
    /// The line and column from 1, the line itself, and how many characters of it are meant.
    pub place: Option<Place>,
    /// What is wrong and what was expected.
    pub message: String,
    /// What to do, if that can be said.
    pub help: Option<String>,
}

/// A stretch of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The whole line.
    pub text: String,
    /// Characters that are meant; at least one.
    pub width: usize,
}

impl Place {
    /// The place of a range of bytes, cut at the end of its first line.
    pub fn of(text: &str, span: &Range<usize>) -> Self {
        let start = floor_boundary(text, span.start);
        let end = floor_boundary(text, span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: text[line_start..line_end].trim_end().to_owned(),
            width: text[start..end.min(line_end)].trim_end().chars().count().max(1),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read experiment `{}`", self.experiment)?;
        if let Some(Place { line, column, text, width }) = &self.place {
            let margin = line.to_string().len();
            writeln!(f, ": mistake at line {line}, column {column}")?;
            writeln!(f, "{:margin$} |", "")?;
            writeln!(f, "{line} | {text}")?;
            writeln!(f, "{:margin$} | {:indent$}{:^<width$}", "", "", "", indent = column - 1)?;
        } else {
            write!(f, ": ")?;
        }
        write!(f, "{}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

fn floor_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// A message for a name that is not among those that exist, and a hint at the nearest that is.
pub fn unknown(what: &str, name: &str, known: &[&str]) -> (String, Option<String>) {
    let listed: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
    let message = match listed.as_slice() {
        [] => format!("unknown {what} `{name}`, expected none"),
        [only] => format!("unknown {what} `{name}`, expected {only}"),
        all => format!("unknown {what} `{name}`, expected one of {}", all.join(", ")),
    };
    let nearest = known.iter().min_by_key(|known| distance(name, known));
    let close = nearest
        .filter(|known| distance(name, known) <= 1 + name.chars().count().max(known.len()) / 3);
    (message, close.map(|known| format!("did you mean `{known}`?")))
}

/// Letters to insert, delete or replace to turn one word into the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for column in 0..to.len() {
            let replaced = diagonal + usize::from(letter != to[column]);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_shown_under_its_line() {
        let text = "question = \"?\"\nthreads = \"four\" # häufig\n";
        let mistake = Mistake {
            experiment: "pauses.toml".to_owned(),
            place: Some(Place::of(text, &(25..31))),
            message: "invalid type: string \"four\", expected usize".to_owned(),
            help: Some("write a number".to_owned()),
        };
        let expected = "cannot read experiment `pauses.toml`: mistake at line 2, column 11\n  |\n2 | threads = \"four\" # häufig\n  |           ^^^^^^\n\
                        invalid type: string \"four\", expected usize\nhelp: write a number";
        assert_eq!(mistake.to_string(), expected);
    }

    #[test]
    fn places_stay_inside_the_text() {
        assert_eq!(
            Place::of("", &(0..0)),
            Place { line: 1, column: 1, text: String::new(), width: 1 }
        );
        assert_eq!(
            Place::of("a\nbc", &(3..99)),
            Place { line: 2, column: 2, text: "bc".to_owned(), width: 1 }
        );
        assert_eq!(Place::of("ä = 1", &(1..2)).column, 1);
    }

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let known = ["leak", "refcount", "generational"];
        let (message, help) = unknown("collector", "genrational", &known);
        assert_eq!(
            message,
            "unknown collector `genrational`, expected one of `leak`, `refcount`, `generational`"
        );
        assert_eq!(help.as_deref(), Some("did you mean `generational`?"));
        assert_eq!(unknown("collector", "zgc", &known).1, None);
        assert_eq!(
            unknown("setting", "speed", &[]),
            ("unknown setting `speed`, expected none".to_owned(), None)
        );
    }
}
