//! Palette: one colour a collector, told apart with any kind of sight, and inks that follow the reader's theme.
//!
//! The colours are those of Okabe and Ito (*Color universal design*, 2008) without their black and yellow, which are lost
//! on a dark or a light page; grey stands in for the collector that everything is measured against.

use plotters::style::RGBColor;
use std::fmt::Write;

/// What text and axes are drawn in. The first colour is that of a light page, the second that of a dark one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// What is to be read first.
    Strong,
    /// What explains.
    Muted,
    /// Lines that guide the eye.
    Grid,
    /// The page itself.
    Ground,
    /// What is wrong.
    Alarm,
}

const INKS: [(Ink, &str, [RGBColor; 2]); 5] = [
    (Ink::Strong, "strong", [RGBColor(0x1F, 0x23, 0x28), RGBColor(0xE6, 0xED, 0xF3)]),
    (Ink::Muted, "muted", [RGBColor(0x59, 0x63, 0x6E), RGBColor(0x91, 0x98, 0xA1)]),
    (Ink::Grid, "grid", [RGBColor(0xD9, 0xDE, 0xE3), RGBColor(0x30, 0x36, 0x3D)]),
    (Ink::Ground, "ground", [RGBColor(0xFE, 0xFE, 0xFE), RGBColor(0x0D, 0x11, 0x17)]),
    (Ink::Alarm, "alarm", [RGBColor(0xC6, 0x28, 0x28), RGBColor(0xFF, 0x7B, 0x72)]),
];

/// The first seven are Okabe and Ito's; the others were chosen one by one as far from all before them as can be, in OKLab
/// and for sight without red, green or blue receptors, and so that each stands out from a light and from a dark page.
const COLLECTORS: [RGBColor; 14] = [
    RGBColor(0x80, 0x80, 0x80),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xA8, 0x24, 0x0C),
    RGBColor(0x60, 0x00, 0xFC),
    RGBColor(0x3C, 0x60, 0x60),
    RGBColor(0xB4, 0xC0, 0xA8),
    RGBColor(0x84, 0x78, 0xFC),
    RGBColor(0xD8, 0x00, 0xC0),
    RGBColor(0x8A, 0x6D, 0x3B),
];

/// Rules by which the inks follow the reader's theme; they are part of every chart, and of the page for all of them.
pub const THEME: Theme = Theme;

/// The style sheet of all charts.
#[derive(Debug, Clone, Copy)]
pub struct Theme;

impl std::fmt::Display for Theme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rules = |theme: usize| {
            let mut rules = String::new();
            for (_, class, colours) in INKS {
                let code = code(colours[theme]);
                // Writing to a string cannot fail.
                let _ = write!(rules, ".{class}{{fill:{code}}}.{class}-line{{stroke:{code}}}");
            }
            rules
        };
        let fonts = "Roboto,system-ui,-apple-system,'Segoe UI','Helvetica Neue',sans-serif";
        write!(
            f,
            "svg text{{font-family:{fonts}}}{}@media(prefers-color-scheme:dark){{{}}}",
            rules(0),
            rules(1)
        )
    }
}

impl Ink {
    /// The colour on a light page, by which [`follow_theme`] knows the ink again.
    pub(super) fn colour(self) -> RGBColor {
        INKS.iter()
            .find(|(ink, ..)| *ink == self)
            .map_or(RGBColor(0, 0, 0), |(.., colours)| colours[0])
    }
}

/// The colour of a collector: by its place in the list, or after all of those if it is not on it.
pub(super) fn colour(collector: &str) -> RGBColor {
    let place = collectors::NAMES.iter().position(|name| *name == collector);
    COLLECTORS[place.unwrap_or(collectors::NAMES.len()) % COLLECTORS.len()]
}

/// The colour of a collector as CSS writes it.
pub fn colour_code(collector: &str) -> String {
    code(colour(collector))
}

/// Names the ink of each element beside its colour, so that the style sheet can change it. Where style sheets are not
/// understood the light colours remain.
pub(super) fn follow_theme(svg: &str) -> String {
    let mut svg = svg.to_owned();
    for (_, class, colours) in INKS {
        let code = code(colours[0]);
        svg =
            svg.replace(&format!("fill=\"{code}\""), &format!("class=\"{class}\" fill=\"{code}\""));
        svg = svg.replace(
            &format!("stroke=\"{code}\""),
            &format!("class=\"{class}-line\" stroke=\"{code}\""),
        );
    }
    svg
}

/// A colour as CSS writes it.
pub(super) fn code(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_collector_of_the_list_has_a_colour_of_its_own() {
        let mut codes: Vec<String> =
            collectors::NAMES.iter().map(|name| colour_code(name)).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), collectors::NAMES.len().min(COLLECTORS.len()));
    }

    #[test]
    fn inks_are_named_beside_their_colour() {
        let svg = follow_theme(
            "<text fill=\"#1F2328\"/><line stroke=\"#D9DEE3\"/><rect fill=\"#0072B2\"/>",
        );
        assert_eq!(
            svg,
            "<text class=\"strong\" fill=\"#1F2328\"/><line class=\"grid-line\" stroke=\"#D9DEE3\"/><rect fill=\"#0072B2\"/>"
        );
    }
}
