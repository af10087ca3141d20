//! SVG, by the `resvg` crate.
//!
//! An SVG is a program: a few hundred bytes may ask for hours of work. So two estimates stand before the work, each an
//! upper bound that is itself quick: [`expand`] counts elements before references are followed, [`cost`] counts the pixels
//! before they are painted.

mod cost;
mod expand;
mod fonts;
mod measure;
mod source;
mod styles;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::roxmltree::{Document, ParsingOptions};
use resvg::usvg::{ImageHrefResolver, ImageKind, Options, Tree};

use super::picture::Picture;
use super::raster;
use crate::error::{Measure, MediaError};
use crate::limits::Limits;
use crate::media_type::MediaType;
use crate::text::to_utf8;

/// Drawings whose longer side is outside these bounds are scaled to the nearest of them.
const LONGER_SIDE_PX: (f32, f32) = (512.0, 1024.0);

/// Elements nest on the stack of the thread that draws them.
const STACK_BYTES: usize = 128 * 1024 * 1024;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, MediaError> {
    limits.check(Measure::TextBytes, bytes.len() as u64)?;
    let text = to_utf8(bytes)?;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("svg".to_owned()).stack_size(STACK_BYTES);
        let drawing = thread.spawn_scoped(scope, || draw(&text, limits));
        let failed = || corrupt("the renderer cannot make sense of it");
        drawing.map_err(|_no_thread| failed())?.join().map_err(|_panic| failed())?
    })
}

fn corrupt(reason: impl Into<String>) -> MediaError {
    MediaError::corrupt(MediaType::Svg, reason)
}

fn draw(text: &str, limits: &Limits) -> Result<Picture, MediaError> {
    source::check(text)?;
    let nodes_limit = u32::try_from(limits.max_svg_nodes).unwrap_or(u32::MAX);
    let options = ParsingOptions { allow_dtd: true, nodes_limit, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| explain(&error, text, limits))?;
    expand::check(&document, limits)?;

    let embedded_pixels = AtomicU64::new(0);
    let tree = Tree::from_xmltree(&document, &options_for(text, limits, &embedded_pixels))
        .map_err(|error| corrupt(error.to_string()))?;
    let (width, height, scale) = canvas(&tree)?;
    limits.check_picture(u64::from(width), u64::from(height))?;
    cost::check(&tree, (width, height), scale, limits)?;

    let mut pixmap = Pixmap::new(width, height).ok_or_else(|| corrupt("it has no size"))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    let mut rgba = Vec::with_capacity(pixmap.pixels().len() * 4);
    for pixel in pixmap.pixels() {
        let color = pixel.demultiply();
        rgba.extend_from_slice(&[color.red(), color.green(), color.blue(), color.alpha()]);
    }
    Ok(Picture { width_px: width, height_px: height, rgba })
}

/// Width and height of the drawing in pixels, and the scale that brings it there.
fn canvas(tree: &Tree) -> Result<(u32, u32, f32), MediaError> {
    let (width, height) = (tree.size().width(), tree.size().height());
    let longer = width.max(height);
    if !longer.is_finite() || longer <= 0.0 {
        return Err(corrupt("it has no size"));
    }
    let scale = longer.clamp(LONGER_SIDE_PX.0, LONGER_SIDE_PX.1) / longer;
    let pixels = |side: f32| ((side * scale).round() as u32).max(1);
    Ok((pixels(width), pixels(height), scale))
}

fn explain(error: &resvg::usvg::roxmltree::Error, text: &str, limits: &Limits) -> MediaError {
    use resvg::usvg::roxmltree::Error;
    match error {
        Error::NodesLimitReached => {
            let limit = limits.max_svg_nodes;
            MediaError::TooLarge { what: Measure::SvgNodes, value: limit.saturating_add(1), limit }
        }
        error if matches!(error, Error::UnclosedRootNode) || !text.trim_end().ends_with('>') => {
            MediaError::truncated(MediaType::Svg, error.to_string())
        }
        error => corrupt(error.to_string()),
    }
}

/// Options under which nothing outside the file is read but fonts. Pictures inside the file (`data:` addresses) are
/// decoded first, so that they are held against the limits all together; an SVG inside the SVG is left out.
fn options_for<'a>(text: &str, limits: &'a Limits, embedded_pixels: &'a AtomicU64) -> Options<'a> {
    let resolve_data = move |_type: &str, data: Arc<Vec<u8>>, _: &Options| {
        let media_type = crate::sniff(&data, None).ok()?;
        let (kind, pixels) = match media_type {
            MediaType::Png => (ImageKind::PNG(Arc::clone(&data)), raster::pixels(&data, media_type)?),
            MediaType::Jpeg => (ImageKind::JPEG(Arc::clone(&data)), raster::pixels(&data, media_type)?),
            MediaType::Gif => (ImageKind::GIF(Arc::clone(&data)), raster::pixels(&data, media_type)?),
            MediaType::WebP => (ImageKind::WEBP(Arc::clone(&data)), raster::pixels(&data, media_type)?),
            _ => return None,
        };
        let before = embedded_pixels.fetch_add(pixels, Ordering::Relaxed);
        (before.saturating_add(pixels) <= limits.max_pixels).then_some(kind)
    };
    let mut options = Options {
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(resolve_data),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    // Reading the fonts takes a while the first time; most drawings have no text.
    if text.contains("text") {
        fonts::default_family().clone_into(&mut options.font_family);
        options.fontdb = fonts::database();
    }
    options
}
