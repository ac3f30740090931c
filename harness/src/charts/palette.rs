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

/// The colour of each collector by its name, so that one more on the list changes no other's. The first seven colours
/// are grey and six of Okabe and Ito's; the others were chosen one by one as far from all before them as can be, in OKLab
/// and for sight without red, green or blue receptors, and so that each stands out from a light and from a dark page.
const COLLECTORS: [(&str, RGBColor); 13] = [
    ("leak", RGBColor(0x80, 0x80, 0x80)),
    ("refcount", RGBColor(0xE6, 0x9F, 0x00)),
    ("deferred", RGBColor(0x3C, 0x60, 0x60)),
    ("coalescing", RGBColor(0xB4, 0xC0, 0xA8)),
    ("biased", RGBColor(0xCC, 0x79, 0xA7)),
    ("generational", RGBColor(0x00, 0x72, 0xB2)),
    ("tuned", RGBColor(0x56, 0xB4, 0xE9)),
    ("incremental", RGBColor(0xD8, 0x00, 0xC0)),
    ("trial-deletion", RGBColor(0x84, 0x78, 0xFC)),
    ("recycler", RGBColor(0xD5, 0x5E, 0x00)),
    ("concurrent-counting", RGBColor(0x60, 0x00, 0xFC)),
    ("mark-sweep", RGBColor(0x00, 0x9E, 0x73)),
    ("snapshot", RGBColor(0xA8, 0x24, 0x0C)),
];

/// The colour of whatever is in a record and has none of its own.
const STRANGER: RGBColor = RGBColor(0x8A, 0x6D, 0x3B);

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

/// The colour of a collector.
pub(super) fn colour(collector: &str) -> RGBColor {
    let found = COLLECTORS.iter().find(|(name, _)| *name == collector);
    found.map_or(STRANGER, |(_, colour)| *colour)
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
        for name in collectors::NAMES {
            assert!(COLLECTORS.iter().any(|(known, _)| known == name), "{name} has no colour");
        }
        let mut names: Vec<&str> = COLLECTORS.iter().map(|(name, _)| *name).collect();
        let mut codes: Vec<String> = names.iter().map(|name| colour_code(name)).collect();
        codes.push(colour_code("a collector that is not known"));
        for list in [&mut codes.iter().map(String::as_str).collect(), &mut names] {
            let length = list.len();
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), length, "{list:?}");
        }
    }

    /// What is seen with all receptors, and without those for red, green and blue: G. Machado, M. Oliveira and L.
    /// Fernandes, *A physiologically-based model for simulation of color vision deficiency*, TVCG 2009.
    const SIGHTS: [[[f64; 3]; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [
            [0.152_286, 1.052_583, -0.204_868],
            [0.114_503, 0.786_281, 0.099_216],
            [-0.003_882, -0.048_116, 1.051_998],
        ],
        [
            [0.367_322, 0.860_646, -0.227_968],
            [0.280_085, 0.672_501, 0.047_413],
            [-0.011_820, 0.042_940, 0.968_881],
        ],
        [
            [1.255_528, -0.076_749, -0.178_779],
            [-0.078_411, 0.930_809, 0.147_602],
            [0.004_733, 0.691_367, 0.303_900],
        ],
    ];

    fn times(matrix: &[[f64; 3]; 3], [x, y, z]: [f64; 3]) -> [f64; 3] {
        matrix.map(|[a, b, c]| a * x + b * y + c * z)
    }

    /// The colour in B. Ottosson's OKLab (2020), in which equal distances look equal, as one kind of sight sees it.
    fn seen(RGBColor(red, green, blue): RGBColor, sight: &[[f64; 3]; 3]) -> [f64; 3] {
        let linear = [red, green, blue].map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        let light = times(sight, linear).map(|value| value.clamp(0.0, 1.0));
        let cones = times(
            &[
                [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
                [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
                [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
            ],
            light,
        );
        times(
            &[
                [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
                [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
                [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
            ],
            cones.map(f64::cbrt),
        )
    }

    fn distance(one: RGBColor, other: RGBColor, sight: &[[f64; 3]; 3]) -> f64 {
        let pairs = seen(one, sight).into_iter().zip(seen(other, sight));
        pairs.map(|(one, other)| (one - other).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn any_two_collectors_can_be_told_apart_and_from_the_page_with_any_kind_of_sight() {
        for (place, (name, colour)) in COLLECTORS.iter().enumerate() {
            for sight in &SIGHTS {
                for ground in [RGBColor(0xFE, 0xFE, 0xFE), RGBColor(0x0D, 0x11, 0x17)] {
                    assert!(distance(*colour, ground, sight) > 0.2, "{name} on {ground:?}");
                }
            }
            for (other, its) in &COLLECTORS[..place] {
                let [full, rest @ ..] =
                    SIGHTS.each_ref().map(|sight| distance(*colour, *its, sight));
                assert!(full > 0.12, "{name} and {other}: {full}");
                // Okabe and Ito's green is nearly grey without green receptors; nothing else is nearly anything.
                let is_grey_and_green = (*name, *other) == ("mark-sweep", "leak");
                let least = if is_grey_and_green { 0.03 } else { 0.06 };
                assert!(rest.iter().all(|sight| *sight > least), "{name} and {other}: {rest:?}");
            }
        }
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
