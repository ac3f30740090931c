//! Canvas: a thin layer over plotters that draws finer than whole pixels and follows the reader's theme.

use super::{
    Chart, ChartError, Section,
    look::{self, Dash, Mark},
    palette::{self, Ink},
    words,
};
use plotters::{
    coord::Shift,
    element::{Drawable, PointCollection},
    prelude::{
        Circle, DrawingArea, IntoDrawingArea, PathElement, Polygon, Rectangle, SVGBackend, Text,
    },
    style::{
        Color, FontFamily, FontStyle, RGBAColor, RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};
use std::{cell::RefCell, fmt::Write};

/// Plotters counts in whole pixels; drawing this much larger and shrinking the picture gives it quarters.
const FINE: f64 = 4.0;

/// Plotters divides the size of SVG text by this.
const FONT_CORRECTION: f64 = 1.24;

/// The opacity of what stands back.
const FAINT: f64 = 0.45;

/// The size of the text that explains a chart.
pub(super) const NOTE: f64 = 12.0;

/// From one line of it to the next.
pub(super) const NOTE_LINE: f64 = 17.0;

/// Where on a text the given point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Middle,
    Right,
}

/// Whether a text stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Normal,
    Bold,
}

/// A picture that is being drawn, in units of a CSS pixel with the origin at the top left.
pub(super) struct Canvas<'b> {
    area: DrawingArea<SVGBackend<'b>, Shift>,
    chart: &'b str,
    /// What is drawn above all that plotters draws.
    above: RefCell<String>,
}

/// Draws a chart; `paint` does the drawing.
pub(super) fn chart(
    name: &str,
    title: &str,
    (width, height): (f64, f64),
    paint: impl FnOnce(&Canvas<'_>) -> Result<(), ChartError>,
) -> Result<Chart, ChartError> {
    let mut drawn = String::new();
    let above;
    let size = (fine(width).unsigned_abs(), fine(height).unsigned_abs());
    {
        let canvas = Canvas {
            area: SVGBackend::with_string(&mut drawn, size).into_drawing_area(),
            chart: name,
            above: RefCell::default(),
        };
        canvas.bar((0.0, 0.0), (width, height), Ink::Ground.colour(), 1.0)?;
        paint(&canvas)?;
        canvas.area.present().map_err(|error| canvas.refused(&error))?;
        above = canvas.above.take();
    }
    Ok(Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        section: Section::Overview,
        svg: finish(&drawn, &above, title, (width, height)),
    })
}

impl<'b> Canvas<'b> {
    /// A text whose middle line is at `y`.
    pub(super) fn text(
        &self,
        text: &str,
        (x, y): (f64, f64),
        size: f64,
        side: Side,
        weight: Weight,
        colour: RGBColor,
    ) -> Result<(), ChartError> {
        let horizontal = match side {
            Side::Left => HPos::Left,
            Side::Middle => HPos::Center,
            Side::Right => HPos::Right,
        };
        let font_style = match weight {
            Weight::Normal => FontStyle::Normal,
            Weight::Bold => FontStyle::Bold,
        };
        let font = (FontFamily::SansSerif, size * FINE * FONT_CORRECTION, font_style);
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(horizontal, VPos::Center));
        self.draw(&Text::new(text.to_owned(), point((x, y)), style))
    }

    /// A text on a patch of the page's own colour, so that it can be read across lines.
    pub(super) fn caption(
        &self,
        text: &str,
        (x, y): (f64, f64),
        size: f64,
        colour: RGBColor,
    ) -> Result<(), ChartError> {
        // A patch that is a little too wide hides nothing but lines.
        let width = words::width(text, size);
        let (from, to) = ((x - 3.0, y - size * 0.7), (x + width + 3.0, y + size * 0.7));
        self.bar(from, to, Ink::Ground.colour(), 1.0)?;
        self.text(text, (x, y), size, Side::Left, Weight::Normal, colour)
    }

    /// A filled rectangle.
    pub(super) fn bar(
        &self,
        from: (f64, f64),
        to: (f64, f64),
        colour: RGBColor,
        opacity: f64,
    ) -> Result<(), ChartError> {
        self.draw(&Rectangle::new([point(from), point(to)], colour.mix(opacity).filled()))
    }

    /// A line through points.
    pub(super) fn line(
        &self,
        points: &[(f64, f64)],
        width: f64,
        colour: RGBColor,
    ) -> Result<(), ChartError> {
        self.stroke(points, width, colour.to_rgba())
    }

    /// A line through points, broken up into dashes.
    pub(super) fn path(
        &self,
        points: &[(f64, f64)],
        width: f64,
        colour: RGBColor,
        dash: Dash,
    ) -> Result<(), ChartError> {
        let points: Vec<_> = points.iter().copied().map(point).collect();
        // Plotters knows no dashes; an opacity that nobody sees tells `finish` which to put in.
        let style = ShapeStyle {
            color: colour
                .mix(look::ALL_DASHES.iter().position(|known| *known == dash).map_or(1.0, opacity)),
            filled: false,
            stroke_width: fine(width).unsigned_abs(),
        };
        self.draw(&PathElement::new(points, style))
    }

    /// A straight line of dashes.
    pub(super) fn dashes(
        &self,
        from: (f64, f64),
        to: (f64, f64),
        colour: RGBColor,
    ) -> Result<(), ChartError> {
        self.path(&[from, to], 1.25, colour, look::GUIDE)
    }

    /// Lines of small text one below the other; returns where the next would stand.
    pub(super) fn notes<'n>(
        &self,
        notes: impl IntoIterator<Item = &'n String>,
        (x, mut y): (f64, f64),
        width: f64,
    ) -> Result<f64, ChartError> {
        for line in notes.into_iter().flat_map(|note| words::wrap(note, NOTE, width)) {
            self.text(&line, (x, y), NOTE, Side::Left, Weight::Normal, Ink::Muted.colour())?;
            y += NOTE_LINE;
        }
        Ok(y)
    }

    /// Many small dots, above all else. Plotters would spend an element on each; this is one for all of them.
    pub(super) fn dots(&self, points: &[(f64, f64)], radius: f64, colour: RGBColor) {
        if points.is_empty() {
            return;
        }
        let mut above = self.above.borrow_mut();
        // Writing to a string cannot fail.
        let _ = write!(
            above,
            "<path fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linecap=\"round\" d=\"",
            palette::code(colour),
            fine(2.0 * radius)
        );
        let mut last = (0, 0);
        for (x, y) in points.iter().copied().map(point) {
            let _ = write!(above, "m{} {}h0", x - last.0, y - last.1);
            last = (x, y);
        }
        above.push_str("\"/>\n");
    }

    /// A point of a certain shape.
    pub(super) fn mark(
        &self,
        at: (f64, f64),
        radius: f64,
        colour: RGBColor,
        mark: Mark,
    ) -> Result<(), ChartError> {
        self.shape(at, radius, colour.to_rgba(), mark)
    }

    /// A point that stands back, on a light page and on a dark one.
    pub(super) fn faint_mark(
        &self,
        at: (f64, f64),
        radius: f64,
        colour: RGBColor,
        mark: Mark,
    ) -> Result<(), ChartError> {
        self.shape(at, radius, colour.mix(FAINT), mark)
    }

    /// A line that stands back likewise.
    pub(super) fn faint_line(
        &self,
        points: &[(f64, f64)],
        width: f64,
        colour: RGBColor,
    ) -> Result<(), ChartError> {
        self.stroke(points, width, colour.mix(FAINT))
    }

    fn shape(
        &self,
        (x, y): (f64, f64),
        radius: f64,
        colour: RGBAColor,
        mark: Mark,
    ) -> Result<(), ChartError> {
        let corners = |corners: &[(f64, f64)]| -> Vec<(i32, i32)> {
            corners.iter().map(|(dx, dy)| point((x + dx * radius, y + dy * radius))).collect()
        };
        match mark {
            Mark::Circle => {
                let rim = Ink::Ground.colour();
                self.draw(&Circle::new(point((x, y)), fine(radius + 1.0), rim.filled()))?;
                self.draw(&Circle::new(point((x, y)), fine(radius), colour.filled()))
            }
            Mark::Square => {
                let side = radius * 0.9;
                let corners = [(x - side, y - side), (x + side, y + side)].map(point);
                self.draw(&Rectangle::new(corners, colour.filled()))
            }
            Mark::Triangle => {
                let shape = corners(&[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)]);
                self.draw(&Polygon::new(shape, colour.filled()))
            }
            Mark::Diamond => {
                let shape = corners(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]);
                self.draw(&Polygon::new(shape, colour.filled()))
            }
            Mark::Cross => {
                self.stroke(&[(x - radius, y - radius), (x + radius, y + radius)], 2.0, colour)?;
                self.stroke(&[(x - radius, y + radius), (x + radius, y - radius)], 2.0, colour)
            }
            Mark::Plus => {
                self.stroke(&[(x - radius, y), (x + radius, y)], 2.0, colour)?;
                self.stroke(&[(x, y - radius), (x, y + radius)], 2.0, colour)
            }
        }
    }

    fn stroke(
        &self,
        points: &[(f64, f64)],
        width: f64,
        colour: RGBAColor,
    ) -> Result<(), ChartError> {
        let points: Vec<_> = points.iter().copied().map(point).collect();
        let style =
            ShapeStyle { color: colour, filled: false, stroke_width: fine(width).unsigned_abs() };
        self.draw(&PathElement::new(points, style))
    }

    /// A dot with a rim that sets it off from what is below.
    pub(super) fn dot(
        &self,
        at: (f64, f64),
        radius: f64,
        colour: RGBColor,
        rim: RGBColor,
    ) -> Result<(), ChartError> {
        self.draw(&Circle::new(point(at), fine(radius + 1.0), rim.filled()))?;
        self.draw(&Circle::new(point(at), fine(radius), colour.filled()))
    }

    /// A ring around the page's own colour.
    pub(super) fn hollow(
        &self,
        at: (f64, f64),
        radius: f64,
        colour: RGBColor,
    ) -> Result<(), ChartError> {
        self.dot(at, radius, colour, Ink::Ground.colour())?;
        self.draw(&Circle::new(point(at), fine(radius - 2.0), Ink::Ground.colour().filled()))
    }

    /// A small triangle that points down, at its tip.
    pub(super) fn arrow_down(
        &self,
        (x, y): (f64, f64),
        colour: RGBColor,
    ) -> Result<(), ChartError> {
        let points = [(x, y), (x - 4.0, y - 7.0), (x + 4.0, y - 7.0)].map(point);
        self.draw(&Polygon::new(points, colour.filled()))
    }

    /// A small triangle that points to the left, at its tip.
    pub(super) fn arrow(&self, (x, y): (f64, f64), colour: RGBColor) -> Result<(), ChartError> {
        let points = [(x, y), (x + 7.0, y - 4.0), (x + 7.0, y + 4.0)].map(point);
        self.draw(&Polygon::new(points, colour.filled()))
    }

    fn draw<'e, E>(&self, element: &'e E) -> Result<(), ChartError>
    where
        &'e E: PointCollection<'e, (i32, i32)>,
        E: Drawable<SVGBackend<'b>>,
    {
        self.area.draw(element).map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &dyn std::error::Error) -> ChartError {
        ChartError { chart: self.chart.to_owned(), message: error.to_string() }
    }
}

/// The opacity that stands for a dash; the first is no dash at all.
fn opacity(place: usize) -> f64 {
    1.0 - place as f64 / 1_000.0
}

/// Puts in the dashes for which opacities stand.
fn put_in_dashes(svg: &str) -> String {
    let mut svg = svg.to_owned();
    for (place, dash) in look::ALL_DASHES.iter().enumerate().skip(1) {
        let lengths: Vec<String> = dash.iter().map(|length| fine(*length).to_string()).collect();
        let dashed = format!("stroke-dasharray=\"{}\"", lengths.join(" "));
        svg = svg.replace(&format!("opacity=\"{}\"", opacity(place)), &dashed);
    }
    svg
}

fn fine(value: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "a picture is a few thousand pixels wide")]
    let whole = (value * FINE).round() as i32;
    whole
}

fn point((x, y): (f64, f64)) -> (i32, i32) {
    (fine(x), fine(y))
}

/// Gives the picture its size, its name for those who cannot see it, and the theme.
fn finish(drawn: &str, above: &str, title: &str, (width, height): (f64, f64)) -> String {
    let body = drawn.split_once('>').map_or(drawn, |(_, body)| body);
    let body = body.trim_end().trim_end_matches("</svg>").to_owned() + above + "</svg>\n";
    let title = super::escape(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" role=\"img\" \
         aria-label=\"{title}\">\n<title>{title}</title>\n<style>{}</style>{}",
        width * FINE,
        height * FINE,
        palette::THEME,
        palette::follow_theme(&put_in_dashes(&body)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dashed_line_is_one_element_and_a_plain_one_has_no_dashes() {
        let drawn = |dash| {
            let line = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)];
            let ink = Ink::Strong.colour();
            chart("line", "line", (20.0, 20.0), |canvas| canvas.path(&line, 1.0, ink, dash))
                .unwrap()
                .svg
        };
        let dashed = drawn(look::DOTS);
        assert_eq!(dashed.matches("<polyline").count(), 1, "{dashed}");
        assert!(dashed.contains("stroke-dasharray=\"6 14\""), "{dashed}");
        assert!(!dashed.contains("opacity=\"0.99"), "{dashed}");
        assert!(!drawn(look::ALL_DASHES[0]).contains("dasharray"));
    }
}
