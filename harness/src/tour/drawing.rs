//! Drawing: a small heap as text, an object a line.

use super::player::Shown;

/// More objects than this are drawn by the number of each class.
const MOST_LINES: usize = 8;

/// The objects as lines: labels, arrow, name, count, attribute.
pub(super) fn draw(objects: &[Shown]) -> Vec<String> {
    if objects.is_empty() {
        return vec!["(the heap is empty)".to_owned()];
    }
    if objects.len() > MOST_LINES {
        return summary(objects);
    }
    let labels: Vec<String> = objects.iter().map(|shown| shown.labels.join(", ")).collect();
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or_default();
    let names = objects.iter().map(|shown| shown.name.chars().count()).max().unwrap_or_default();
    objects
        .iter()
        .zip(labels)
        .map(|(shown, label)| {
            let arrow = if label.is_empty() { "   " } else { "──▶" };
            let mut line = format!("{label:>width$} {arrow} {:names$}", shown.name);
            if let Some(count) = shown.object.count {
                line += &format!("  count {count}");
            }
            for target in shown.object.slots.iter().flatten() {
                let target = objects.iter().find(|other| other.object.number == *target);
                line += &format!("  refers to {}", target.map_or("?", |target| &target.name));
            }
            if !shown.object.is_live {
                line += "  (out of reach, not freed)";
            }
            line
        })
        .collect()
}

fn summary(objects: &[Shown]) -> Vec<String> {
    let live = objects.iter().filter(|shown| shown.object.is_live).count();
    let mut lines = vec![format!("{} objects, {live} of them within reach", objects.len())];
    let labelled = objects.iter().filter(|shown| !shown.labels.is_empty());
    lines.extend(labelled.map(|shown| {
        let held = shown.object.slots.iter().flatten().count();
        format!("{} ──▶ {}, which refers to {held} others", shown.labels.join(", "), shown.name)
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use collectors::audit::Pictured;

    fn shown(number: u64, labels: &[&'static str], slots: &[u64], is_live: bool) -> Shown {
        let object = Pictured {
            number,
            class: "Node".to_owned(),
            count: Some(1),
            roots: 0,
            slots: slots.iter().map(|&slot| Some(slot)).collect(),
            is_live,
        };
        Shown { labels: labels.to_vec(), name: format!("Node {number}"), object }
    }

    #[test]
    fn labels_counts_and_attributes_are_drawn() {
        let lines = draw(&[shown(1, &["a", "b"], &[2], true), shown(2, &[], &[], false)]);
        assert_eq!(
            lines,
            [
                "a, b ──▶ Node 1  count 1  refers to Node 2",
                "         Node 2  count 1  (out of reach, not freed)"
            ]
        );
    }

    #[test]
    fn a_crowd_is_summed_up() {
        let mut objects: Vec<Shown> = (2..20).map(|number| shown(number, &[], &[], true)).collect();
        objects.push(shown(1, &["keep"], &[2, 3], true));
        assert_eq!(
            draw(&objects),
            ["19 objects, 19 of them within reach", "keep ──▶ Node 1, which refers to 2 others"]
        );
    }
}
