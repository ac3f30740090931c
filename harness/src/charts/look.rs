//! Look: by what a collector is known in every chart. The colour is the collector's; dash and mark tell its settings apart.

use super::palette;
use crate::results::{Cell, Results};
use plotters::style::RGBColor;

/// How a line is broken up: lengths that are drawn and left out in turn.
pub(super) type Dash = &'static [f64];

/// A line of dots, which no collector has.
pub(super) const DOTS: Dash = &[1.5, 3.5];

/// A straight line that guides the eye.
pub(super) const GUIDE: Dash = &[4.0, 4.0];

const DASHES: [Dash; 5] = [&[], &[7.0, 3.0], &[3.5, 2.0], &[9.0, 3.0, 3.0, 3.0], &[14.0, 4.0]];

/// Every way in which any line is broken up.
pub(super) const ALL_DASHES: [Dash; 7] =
    [DASHES[0], DASHES[1], DASHES[2], DASHES[3], DASHES[4], DOTS, GUIDE];

/// The shape of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Circle,
    Square,
    Triangle,
    Diamond,
    Cross,
    Plus,
}

pub(super) const MARKS: [Mark; 5] =
    [Mark::Circle, Mark::Square, Mark::Triangle, Mark::Diamond, Mark::Cross];

/// How one collector with one choice of settings is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub(super) colour: RGBColor,
    pub(super) dash: Dash,
    pub(super) mark: Mark,
}

/// The looks of all collectors with all their settings.
#[derive(Debug)]
pub(super) struct Looks {
    known: Vec<(String, Look)>,
}

impl Looks {
    /// Gives a look to everything that was run.
    pub(super) fn of(results: &Results<'_>) -> Self {
        let mut known: Vec<(String, Look)> = Vec::new();
        let mut variants: Vec<&str> = Vec::new();
        for cell in results.groups.iter().flat_map(|group| &group.cells) {
            if known.iter().any(|(label, _)| *label == cell.label) {
                continue;
            }
            let variant = variants.iter().filter(|name| **name == cell.collector).count();
            variants.push(cell.collector);
            let look = Look {
                colour: palette::colour(cell.collector),
                dash: DASHES[variant % DASHES.len()],
                // Once all dashes are used they come again with other marks.
                mark: MARKS[(variant + variant / DASHES.len()) % MARKS.len()],
            };
            known.push((cell.label.clone(), look));
        }
        Self { known }
    }

    /// The look of a cell.
    pub(super) fn look(&self, cell: &Cell<'_>) -> Look {
        let found = self.known.iter().find(|(label, _)| *label == cell.label);
        found.map_or(
            Look { colour: palette::colour(cell.collector), dash: DASHES[0], mark: MARKS[0] },
            |(_, look)| *look,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::Record, synthetic};

    #[test]
    fn settings_change_dash_and_mark_but_not_the_colour() {
        let mut records = synthetic::records();
        let settings = serde_json::json!({ "threshold": 10 });
        records.push(Record { settings, ..synthetic::record("generational", "rings", 1) });
        let results = Results::of(&records).unwrap();
        let looks = Looks::of(&results);
        let [one, other] = [2, 3].map(|cell: usize| looks.look(&results.groups[1].cells[cell]));
        assert_eq!(one.colour, other.colour);
        assert!(one.dash != other.dash && one.mark != other.mark);
        let same = results.groups[0].cells.iter().find(|cell| cell.label == "generational");
        assert_eq!(
            Some(looks.look(same.unwrap())),
            [one, other].into_iter().find(|look| *look == looks.look(same.unwrap()))
        );
    }
}
