//! Labels of points: beside each its name, where it covers neither another name nor another point.

use super::{
    ChartError,
    canvas::{Canvas, Side, Weight},
    words,
};
use plotters::style::RGBColor;

/// How far a label may be from its point, in heights of its text.
const REACH: u8 = 5;

/// What is taken of a plot.
pub(super) struct Labels {
    /// Left, top, right and bottom of what labels must keep within.
    within: [f64; 4],
    taken: Vec<[f64; 4]>,
    size: f64,
}

/// A place for a text.
struct Place<'t> {
    text: &'t str,
    side: Side,
    rect: [f64; 4],
}

impl Labels {
    /// Nothing is taken yet.
    pub(super) fn new(within: [f64; 4], size: f64) -> Self {
        Self { within, taken: Vec::new(), size }
    }

    /// Nothing may be written here.
    pub(super) fn take(&mut self, rect: [f64; 4]) {
        self.taken.push(rect);
    }

    /// Nothing may be written on this point.
    pub(super) fn take_point(&mut self, (x, y): (f64, f64), radius: f64) {
        self.take([x - radius, y - radius, x + radius, y + radius]);
    }

    /// Writes the first of some texts that fits beside a point; says whether one did. In a crowd a point goes without.
    pub(super) fn beside<'t>(
        &mut self,
        canvas: &Canvas<'_>,
        texts: impl IntoIterator<Item = &'t str>,
        at: (f64, f64),
        radius: f64,
        (weight, ink): (Weight, RGBColor),
    ) -> Result<bool, ChartError> {
        let places = texts.into_iter().flat_map(|text| self.around(text, at, radius));
        let free = places.into_iter().find(|place| self.is_free(&place.rect));
        let Some(place) = free else { return Ok(false) };
        self.write(canvas, &place, (weight, ink))?;
        Ok(true)
    }

    /// Writes a text beside a point or, in a crowd, further off with a line to it; says whether there was room at all.
    pub(super) fn near(
        &mut self,
        canvas: &Canvas<'_>,
        text: &str,
        (x, y): (f64, f64),
        radius: f64,
        (weight, ink): (Weight, RGBColor),
    ) -> Result<bool, ChartError> {
        if self.beside(canvas, [text], (x, y), radius, (weight, ink))? {
            return Ok(true);
        }
        let step = self.size * 1.25;
        let places = (1..=REACH).flat_map(|ring| {
            let (down, out) = (step * f64::from(ring), step + step * f64::from(ring) / 2.0);
            let near = [(out, -down), (out, down), (-out, -down), (-out, down)];
            let far = [(2.5 * out, 0.0), (-2.5 * out, 0.0), (2.5 * out, -down), (-2.5 * out, down)];
            near.into_iter().chain(far)
        });
        let width = words::width(text, self.size);
        for (dx, dy) in places {
            let side = if dx > 0.0 { Side::Left } else { Side::Right };
            let left = if dx > 0.0 { x + dx } else { x + dx - width };
            let rect = self.rect(left, width, y + dy);
            if self.is_free(&rect) {
                // From the rim of the point to where the text begins.
                let rim = radius / dx.hypot(dy);
                let from = (x + dx * rim, y + dy * rim);
                canvas.line(&[from, (x + dx * 0.95, y + dy)], 0.75, ink)?;
                self.write(canvas, &Place { text, side, rect }, (weight, ink))?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes the first of some texts for which there is room beside a point or further off.
    pub(super) fn near_any(
        &mut self,
        canvas: &Canvas<'_>,
        texts: &[String],
        at: (f64, f64),
        radius: f64,
        (weight, ink): (Weight, RGBColor),
    ) -> Result<bool, ChartError> {
        for text in texts {
            if self.near(canvas, text, at, radius, (weight, ink))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn write(
        &mut self,
        canvas: &Canvas<'_>,
        place: &Place<'_>,
        (weight, ink): (Weight, RGBColor),
    ) -> Result<(), ChartError> {
        let [left, top, right, bottom] = place.rect;
        let x = match place.side {
            Side::Left => left,
            Side::Middle => f64::midpoint(left, right),
            Side::Right => right,
        };
        let at = (x, f64::midpoint(top, bottom));
        canvas.text(place.text, at, self.size, place.side, weight, ink)?;
        self.take(place.rect);
        Ok(())
    }

    /// Right of a point, left of it, above and below.
    fn around<'t>(&self, text: &'t str, (x, y): (f64, f64), radius: f64) -> [Place<'t>; 4] {
        let (width, gap) = (words::width(text, self.size), radius + 4.0);
        let up = gap + self.size / 2.0;
        [
            (Side::Left, x + gap, y),
            (Side::Right, x - gap - width, y),
            (Side::Middle, x - width / 2.0, y - up),
            (Side::Middle, x - width / 2.0, y + up),
        ]
        .map(|(side, left, y)| Place { text, side, rect: self.rect(left, width, y) })
    }

    fn rect(&self, left: f64, width: f64, y: f64) -> [f64; 4] {
        let half = self.size * 0.66;
        [left, y - half, left + width, y + half]
    }

    fn is_free(&self, rect: &[f64; 4]) -> bool {
        let [left, top, right, bottom] = self.within;
        rect[0] >= left
            && rect[2] <= right
            && rect[1] >= top
            && rect[3] <= bottom
            && !self.taken.iter().any(|other| overlap(rect, other))
    }
}

fn overlap(one: &[f64; 4], other: &[f64; 4]) -> bool {
    one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::{canvas, palette::Ink};

    #[test]
    fn labels_of_a_crowd_cover_neither_each_other_nor_the_points() {
        let ink = (Weight::Normal, Ink::Strong.colour());
        canvas::chart("crowd", "crowd", (400.0, 300.0), |canvas| {
            let mut labels = Labels::new([0.0, 0.0, 400.0, 300.0], 12.0);
            let points: Vec<(f64, f64)> =
                (0..8).map(|n| (200.0 + f64::from(n) * 3.0, 150.0)).collect();
            points.iter().for_each(|at| labels.take_point(*at, 5.0));
            for at in &points {
                assert!(labels.near(canvas, "concurrent", *at, 5.0, ink)?);
            }
            let written = &labels.taken[points.len()..];
            for (place, rect) in written.iter().enumerate() {
                assert!(
                    labels.taken[..points.len() + place].iter().all(|other| !overlap(rect, other))
                );
            }
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn where_nothing_fits_nothing_is_written() {
        let ink = (Weight::Normal, Ink::Strong.colour());
        canvas::chart("full", "full", (40.0, 30.0), |canvas| {
            let mut labels = Labels::new([0.0, 0.0, 40.0, 30.0], 12.0);
            assert!(!labels.near(canvas, "a label", (20.0, 15.0), 4.0, ink)?);
            assert!(labels.beside(canvas, ["a label", "1"], (20.0, 15.0), 4.0, ink)?);
            Ok(())
        })
        .unwrap();
    }
}
