//! Figures: what was measured, what it is compared with, and whether the goal is met.

use serde::Serialize;

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    what: String,
    /// The figure.
    measured: f64,
    unit: &'static str,
    /// What it is compared with, and that one's figure.
    reference: Option<Reference>,
    /// `measured` divided by the reference's.
    ratio: Option<f64>,
    goal: Goal,
    /// Whether the goal is met; `None` if there is none, or nothing to compare with.
    met: Option<bool>,
}

/// What a figure is compared with.
#[derive(Clone, Debug, Serialize)]
struct Reference {
    name: &'static str,
    measured: f64,
}

/// What is to be reached.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Goal {
    /// The figure itself.
    AtMost(f64),
    /// The figure divided by the reference's.
    Ratio(f64),
    /// Nothing: the figure stands beside another one.
    None,
}

impl Figure {
    pub(crate) fn new(what: impl Into<String>, measured: f64, unit: &'static str) -> Self {
        let what = what.into();
        Self { what, measured, unit, reference: None, ratio: None, goal: Goal::None, met: None }
    }

    /// Compares it with `name`, if there is something to compare with.
    pub(crate) fn beside(mut self, name: &'static str, measured: Option<f64>) -> Self {
        self.reference = measured.map(|measured| Reference { name, measured });
        self.ratio = measured.map(|measured| self.measured / measured);
        self
    }

    /// Says what is to be reached.
    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goal = goal;
        self.met = match goal {
            Goal::AtMost(most) => Some(self.measured <= most),
            Goal::Ratio(most) => self.ratio.map(|ratio| ratio <= most),
            Goal::None => None,
        };
        self
    }

    /// The heading of the table.
    pub(crate) fn heading() -> String {
        line("what", "measured", "reference", "ratio", "goal", "")
    }

    /// Its line in the table.
    pub(crate) fn line(&self) -> String {
        let reference = self.reference.as_ref().map_or_else(String::new, |reference| {
            format!("{} {}", reference.name, number(reference.measured))
        });
        let ratio = self.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let goal = match self.goal {
            Goal::AtMost(most) => format!("{most} {}", self.unit),
            Goal::Ratio(most) => format!("{most} x"),
            Goal::None => String::new(),
        };
        let met = match self.met {
            Some(true) => "met",
            Some(false) => "missed",
            None => "",
        };
        let measured = format!("{} {}", number(self.measured), self.unit);
        line(&self.what, &measured, &reference, &ratio, &goal, met)
    }

    /// Whether its goal is missed.
    pub(crate) fn is_missed(&self) -> bool {
        self.met == Some(false)
    }
}

fn number(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn line(what: &str, measured: &str, reference: &str, ratio: &str, goal: &str, met: &str) -> String {
    format!("{what:<62} {measured:>12}   {reference:<16} {ratio:>5}   {goal:>9}  {met}")
        .trim_end()
        .to_owned()
}
