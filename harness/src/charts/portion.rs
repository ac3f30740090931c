//! Portion: as many workloads as can be read in one chart.

use crate::results::Group;

/// More rows than this are drawn in several charts, one a workload.
const ROWS: usize = 60;

/// The groups of one chart, and the workload's name if there are several charts.
pub(super) struct Portion<'g, 'r> {
    pub(super) workload: Option<&'r str>,
    pub(super) groups: Vec<&'g Group<'r>>,
}

/// All groups, in portions.
pub(super) fn portions<'g, 'r>(groups: &'g [Group<'r>]) -> Vec<Portion<'g, 'r>> {
    let rows: usize = groups.iter().map(|group| group.cells.len()).sum();
    if rows <= ROWS {
        return vec![Portion { workload: None, groups: groups.iter().collect() }];
    }
    let of_one = groups.chunk_by(|left, right| left.workload == right.workload);
    of_one
        .map(|groups| Portion {
            workload: Some(groups[0].workload),
            groups: groups.iter().collect(),
        })
        .collect()
}

impl Portion<'_, '_> {
    /// The name or title of a chart, told apart from that of other portions.
    pub(super) fn name(&self, name: &str, between: &str) -> String {
        self.workload
            .map_or_else(|| name.to_owned(), |workload| format!("{name}{between}{workload}"))
    }
}
