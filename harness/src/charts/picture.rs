//! Picture: a chart as PNG, the same on every machine, drawn with the font that is shipped.

use super::{Chart, ChartError};
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb::Database},
};
use std::sync::{Arc, OnceLock};

/// Pixels of the picture for each unit of the chart.
const PIXELS: f32 = 2.0;

const FONTS: [&[u8]; 2] = [
    include_bytes!("../../fonts/Roboto-Regular.ttf"),
    include_bytes!("../../fonts/Roboto-Bold.ttf"),
];

/// The chart as PNG, in the colours of a light page.
///
/// # Errors
///
/// If the chart is no SVG that can be drawn.
pub fn png(chart: &Chart) -> Result<Vec<u8>, ChartError> {
    draw(&chart.svg, fonts()).map_err(|message| ChartError { chart: chart.name.clone(), message })
}

fn draw(svg: &str, fonts: Arc<Database>) -> Result<Vec<u8>, String> {
    let options = Options { fontdb: fonts, ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| error.to_string())?;
    let size = tree.size().to_int_size().scale_by(PIXELS).ok_or("it has no size")?;
    let mut pixmap = Pixmap::new(size.width(), size.height()).ok_or("it has no size")?;
    resvg::render(&tree, Transform::from_scale(PIXELS, PIXELS), &mut pixmap.as_mut());
    encode(&pixmap).map_err(|error| error.to_string())
}

/// Without the channel of opacity, for a chart covers its ground.
fn encode(pixmap: &Pixmap) -> Result<Vec<u8>, png::EncodingError> {
    let colours: Vec<u8> = pixmap
        .pixels()
        .iter()
        .flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()])
        .collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, pixmap.width(), pixmap.height());
    encoder.set_color(png::ColorType::Rgb);
    // Charts are flat: filters, which are made for photographs, cost time and space.
    encoder.set_filter(png::Filter::NoFilter);
    encoder.set_deflate_compression(png::DeflateCompression::Level(3));
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&colours)?;
    writer.finish()?;
    Ok(file)
}

fn fonts() -> Arc<Database> {
    static DATABASE: OnceLock<Arc<Database>> = OnceLock::new();
    let load = || {
        let mut database = Database::new();
        FONTS.into_iter().for_each(|font| database.load_font_data(font.to_vec()));
        Arc::new(database)
    };
    Arc::clone(DATABASE.get_or_init(load))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::canvas::{self, Side, Weight};
    use plotters::style::RGBColor;

    const RED: RGBColor = RGBColor(255, 0, 0);

    fn with_text(weight: Weight) -> String {
        let chart = canvas::chart("text", "text", (200.0, 40.0), |canvas| {
            canvas.text("0.87× µs", (100.0, 20.0), 20.0, Side::Middle, weight, RED)
        });
        chart.unwrap().svg
    }

    /// Pixels that are nearly red.
    fn red(png: &[u8]) -> usize {
        let pixmap = Pixmap::decode_png(png).unwrap();
        assert_eq!((pixmap.width(), pixmap.height()), (400, 80));
        let is_red = |pixel: &&resvg::tiny_skia::PremultipliedColorU8| {
            pixel.red() > 200 && pixel.green() < 60 && pixel.blue() < 60
        };
        pixmap.pixels().iter().filter(is_red).count()
    }

    #[test]
    fn text_is_drawn_with_the_font_that_is_shipped_and_no_other() {
        let svg = with_text(Weight::Normal);
        assert!(red(&draw(&svg, fonts()).unwrap()) > 500);
        assert_eq!(red(&draw(&svg, Arc::new(Database::new())).unwrap()), 0);
    }

    #[test]
    fn bold_text_is_bolder() {
        let [normal, bold] = [Weight::Normal, Weight::Bold]
            .map(|weight| red(&draw(&with_text(weight), fonts()).unwrap()));
        assert!(bold * 10 > normal * 11, "{bold} pixels bold, {normal} normal");
    }
}
