//! Canvas: a thin layer over plotters that draws finer than whole pixels and follows the reader's theme.

use super::{
    Chart, ChartError,
    palette::{self, Ink},
};
use plotters::{
    coord::Shift,
    element::{Drawable, PointCollection},
    prelude::{
        Circle, DrawingArea, IntoDrawingArea, PathElement, Polygon, Rectangle, SVGBackend, Text,
    },
    style::{
        Color, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

/// Plotters counts in whole pixels; drawing this much larger and shrinking the picture gives it quarters.
const FINE: f64 = 4.0;

/// Plotters divides the size of SVG text by this.
const FONT_CORRECTION: f64 = 1.24;

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
}

/// Draws a chart; `paint` does the drawing.
pub(super) fn chart(
    name: &str,
    title: &str,
    (width, height): (f64, f64),
    paint: impl FnOnce(&Canvas<'_>) -> Result<(), ChartError>,
) -> Result<Chart, ChartError> {
    let mut drawn = String::new();
    let size = (fine(width).unsigned_abs(), fine(height).unsigned_abs());
    {
        let canvas = Canvas {
            area: SVGBackend::with_string(&mut drawn, size).into_drawing_area(),
            chart: name,
        };
        canvas.bar((0.0, 0.0), (width, height), Ink::Ground.colour(), 1.0)?;
        paint(&canvas)?;
        canvas.area.present().map_err(|error| canvas.refused(&error))?;
    }
    Ok(Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        svg: finish(&drawn, title, (width, height)),
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
        // Letters are half as wide as they are high on average; a patch that is a little too wide hides nothing but lines.
        let width = text.chars().count() as f64 * size * 0.56;
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
        let points: Vec<_> = points.iter().copied().map(point).collect();
        let style = ShapeStyle {
            color: colour.to_rgba(),
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
        const DASH: f64 = 4.0;
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let at = |distance: f64| {
            let share = (distance / length).min(1.0);
            (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1))
        };
        let mut distance = 0.0;
        while distance < length {
            self.line(&[at(distance), at(distance + DASH)], 1.25, colour)?;
            distance += 2.0 * DASH;
        }
        Ok(())
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

fn fine(value: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "a picture is a few thousand pixels wide")]
    let whole = (value * FINE).round() as i32;
    whole
}

fn point((x, y): (f64, f64)) -> (i32, i32) {
    (fine(x), fine(y))
}

/// Gives the picture its size, its name for those who cannot see it, and the theme.
fn finish(drawn: &str, title: &str, (width, height): (f64, f64)) -> String {
    let body = drawn.split_once('>').map_or(drawn, |(_, body)| body);
    let title = super::escape(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" role=\"img\" \
         aria-label=\"{title}\">\n<title>{title}</title>\n<style>{}</style>{}",
        width * FINE,
        height * FINE,
        palette::THEME,
        palette::follow_theme(body),
    )
}
