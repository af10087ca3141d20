//! How many pixels drawing an SVG touches.
//!
//! This walks the tree as the renderer does and adds up what each step costs, in half-transparent pixels painted (15 to 25
//! nanoseconds each). The weights were measured; the sum is there to tell seconds from hours.

use resvg::tiny_skia::Transform;
use resvg::usvg::{
    ClipPath, Fill, Group, ImageKind, Mask, Node, NonZeroRect, Paint, Path, Pattern, Stroke, Tree, filter,
};

use super::measure::{Outline, filter_weight, scale_of};
use crate::error::{Measure, MediaError};
use crate::limits::Limits;

/// The renderer bounds a layer by the canvas, once beyond it on each side and once more.
const LAYER_PER_CANVAS: f64 = 25.0;

/// Pixels of all layers that may be in memory at one time, 4 bytes each.
const MOST_LIVE_PIXELS: f64 = 64.0e6;

const LAYER: f64 = 1.0;
const OPAQUE_PIXEL: f64 = 0.05;
const GRADIENT_PIXEL: f64 = 1.5;
const PATTERN_PIXEL: f64 = 1.0;
const EMBEDDED_PIXEL: f64 = 2.0;
const SEGMENT: f64 = 40.0;
const STROKED_SEGMENT: f64 = 250.0;
const DASH: f64 = 20.0;
/// A row of pixels that a path lies on, and each line of the path that crosses it.
const ROW: f64 = 10.0;
const ROW_CROSSED: f64 = 0.5;
/// Two lines that change places from one row to the next.
const SWAP: f64 = 0.1;

/// Refuses a tree that costs more than `max_svg_painted_pixels`, or too much memory at once.
pub(super) fn check(tree: &Tree, canvas_px: (u32, u32), scale: f32, limits: &Limits) -> Result<(), MediaError> {
    let canvas = f64::from(canvas_px.0) * f64::from(canvas_px.1);
    let mut estimate = Estimate { limits, canvas, work: canvas, nodes: 0 };
    let surface = Surface { area: canvas, live: canvas, transform: Transform::from_scale(scale, scale) };
    estimate.children(tree.root(), surface)
}

/// What is drawn on: its pixels, the pixels of it and of all surfaces below it, and where it lies.
#[derive(Clone, Copy)]
struct Surface {
    area: f64,
    live: f64,
    transform: Transform,
}

impl Surface {
    fn moved(self, transform: Transform) -> Self {
        Self { transform: self.transform.pre_concat(transform), ..self }
    }
}

struct Estimate<'a> {
    limits: &'a Limits,
    canvas: f64,
    work: f64,
    nodes: u64,
}

impl Estimate<'_> {
    fn spend(&mut self, work: f64) -> Result<(), MediaError> {
        self.work += work;
        // A value that is no number counts as endless.
        let work = if self.work.is_finite() { self.work as u64 } else { u64::MAX };
        self.limits.check(Measure::SvgPaintedPixels, work)
    }

    fn layer(&mut self, below: Surface, area: f64, copies: f64) -> Result<Surface, MediaError> {
        let live = below.live + area * copies;
        if live.is_nan() || live > MOST_LIVE_PIXELS {
            let limit = MOST_LIVE_PIXELS as u64;
            return Err(MediaError::unsupported(
                format!("an SVG whose layers take {live:.0} pixels at one time"),
                format!("at most {limit} are drawn; use fewer or smaller filters, masks and patterns"),
            ));
        }
        self.spend(area * LAYER)?;
        Ok(Surface { area, live, ..below })
    }

    fn children(&mut self, group: &Group, surface: Surface) -> Result<(), MediaError> {
        for node in group.children() {
            self.nodes += 1;
            self.limits.check(Measure::SvgNodes, self.nodes / 2)?;
            match node {
                Node::Group(group) => self.group(group, surface)?,
                Node::Path(path) => self.path(path, surface)?,
                Node::Text(text) => self.group(text.flattened(), surface)?,
                Node::Image(image) => {
                    let pixels = f64::from(image.size().width()) * f64::from(image.size().height());
                    let is_svg = matches!(image.kind(), ImageKind::SVG { .. });
                    self.spend(if is_svg { f64::INFINITY } else { (pixels + surface.area) * EMBEDDED_PIXEL })?;
                }
            }
        }
        Ok(())
    }

    fn group(&mut self, group: &Group, surface: Surface) -> Result<(), MediaError> {
        let surface = surface.moved(group.transform());
        if !group.should_isolate() {
            return self.children(group, surface);
        }
        let most = self.canvas * LAYER_PER_CANVAS;
        let area = area_of(group.layer_bounding_box(), surface.transform).min(most);
        let layer = self.layer(surface, area, 1.0)?;
        self.children(group, layer)?;
        for filter in group.filters() {
            self.filter(filter, layer)?;
        }
        if let Some(clip) = group.clip_path() {
            self.clip(clip, layer)?;
        }
        if let Some(mask) = group.mask() {
            self.mask(mask, layer)?;
        }
        Ok(())
    }

    fn clip(&mut self, clip: &ClipPath, surface: Surface) -> Result<(), MediaError> {
        let layer = self.layer(surface, surface.area, 1.0)?;
        self.children(clip.root(), layer.moved(clip.transform()))?;
        clip.clip_path().map_or(Ok(()), |inner| self.clip(inner, layer))
    }

    fn mask(&mut self, mask: &Mask, surface: Surface) -> Result<(), MediaError> {
        let layer = self.layer(surface, surface.area, 2.0)?;
        self.children(mask.root(), layer)?;
        mask.mask().map_or(Ok(()), |inner| self.mask(inner, layer))
    }

    fn filter(&mut self, filter: &filter::Filter, surface: Surface) -> Result<(), MediaError> {
        // The result of every step is kept until the last.
        let steps = filter.primitives().len() as f64 + 1.0;
        let layer = self.layer(surface, surface.area, steps)?;
        for primitive in filter.primitives() {
            if let filter::Kind::Image(image) = primitive.kind() {
                self.children(image.root(), layer)?;
            }
            self.spend(surface.area * filter_weight(primitive.kind(), scale_of(surface.transform), surface.area))?;
        }
        Ok(())
    }

    fn path(&mut self, path: &Path, surface: Surface) -> Result<(), MediaError> {
        let bounds = path.stroke_bounding_box();
        let scale = scale_of(surface.transform);
        let width = f64::from(bounds.width()) * scale + 2.0;
        let height = f64::from(bounds.height()) * scale + 2.0;
        let area = (width * height).min(surface.area);
        let outline = Outline::of(path, scale);
        // Lines that one row of pixels crosses are kept sorted.
        let rows = height.min(surface.area.sqrt() * 4.0).max(1.0);
        let crossing = outline.rise.min(outline.segments * rows) / rows;
        let weight = pixel_weight(path);
        let mut work = area * weight
            + outline.segments * SEGMENT
            + rows * (ROW + crossing * ROW_CROSSED)
            + crossing * crossing * SWAP;
        if let Some(stroke) = path.stroke() {
            work = work * 2.0 + outline.segments * STROKED_SEGMENT;
            if let Some(dashes) = stroke.dasharray() {
                let period: f64 = dashes.iter().map(|&dash| f64::from(dash)).sum();
                let count = (outline.length / period * dashes.len() as f64).clamp(0.0, 1.0e6);
                work += count * DASH;
            }
        }
        self.spend(work)?;
        let paints = path.fill().map(Fill::paint).into_iter().chain(path.stroke().map(Stroke::paint));
        for paint in paints {
            if let Paint::Pattern(pattern) = paint {
                self.spend(area * PATTERN_PIXEL)?;
                self.pattern(pattern, surface)?;
            }
        }
        Ok(())
    }

    fn pattern(&mut self, pattern: &Pattern, surface: Surface) -> Result<(), MediaError> {
        let (x, y) = surface.transform.pre_concat(pattern.transform()).get_scale();
        let rect = pattern.rect();
        let area = f64::from(rect.width()) * f64::from(x) * f64::from(rect.height()) * f64::from(y);
        let layer = self.layer(surface, area + 1.0, 1.0)?;
        self.children(pattern.root(), Surface { transform: Transform::from_scale(x, y), ..layer })
    }
}

fn area_of(rect: NonZeroRect, transform: Transform) -> f64 {
    rect.transform(transform)
        .map_or(f64::INFINITY, |rect| (f64::from(rect.width()) + 4.0) * (f64::from(rect.height()) + 4.0))
}

/// What a pixel inside a path costs, by its dearest paint.
fn pixel_weight(path: &Path) -> f64 {
    let fill = path.fill().map(|fill| (fill.paint(), fill.opacity()));
    let stroke = path.stroke().map(|stroke| (stroke.paint(), stroke.opacity()));
    let weights = fill.into_iter().chain(stroke).map(|(paint, opacity)| match paint {
        Paint::Color(_) if opacity.get() >= 1.0 => OPAQUE_PIXEL,
        Paint::Color(_) | Paint::Pattern(_) => 1.0,
        Paint::LinearGradient(_) | Paint::RadialGradient(_) => GRADIENT_PIXEL,
    });
    weights.fold(0.0, f64::max)
}
