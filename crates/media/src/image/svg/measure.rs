//! Paths and filters in numbers, for the estimate of what drawing them costs.

use resvg::tiny_skia::{PathSegment, Point, Transform};
use resvg::usvg::{Path, filter};

/// What a plain step of a filter costs for a pixel, in pixels painted.
const FILTER_PIXEL: f64 = 3.0;
const BOX_BLUR: f64 = 6.0;
const FINE_BLUR: f64 = 30.0;
const MATRIX_CELL: f64 = 0.5;
const MORPHOLOGY_CELL: f64 = 0.15;
const OCTAVE: f64 = 4.0;

/// What one step of a filter costs for each of the `area` pixels of its layer, at this scale.
pub(super) fn filter_weight(kind: &filter::Kind, scale: f64, area: f64) -> f64 {
    let window = |radius: f64| (radius * scale * 2.0 + 1.0).clamp(1.0, area);
    let blur = |x: f32, y: f32| {
        // The renderer blurs by boxes from 2 pixels on.
        if f64::from(x.min(y)) * scale < 2.0 { FINE_BLUR } else { BOX_BLUR }
    };
    match kind {
        filter::Kind::ConvolveMatrix(matrix) => {
            let cells = f64::from(matrix.matrix().columns()) * f64::from(matrix.matrix().rows());
            FILTER_PIXEL + cells * MATRIX_CELL
        }
        filter::Kind::Morphology(morphology) => {
            let (x, y) = (morphology.radius_x().get(), morphology.radius_y().get());
            let cells = (window(f64::from(x)) * window(f64::from(y))).min(area);
            FILTER_PIXEL + cells * MORPHOLOGY_CELL
        }
        filter::Kind::Turbulence(turbulence) => FILTER_PIXEL + f64::from(turbulence.num_octaves()) * OCTAVE,
        filter::Kind::Merge(merge) => FILTER_PIXEL + merge.inputs().len() as f64,
        filter::Kind::GaussianBlur(step) => FILTER_PIXEL + blur(step.std_dev_x().get(), step.std_dev_y().get()),
        filter::Kind::DropShadow(step) => FILTER_PIXEL + blur(step.std_dev_x().get(), step.std_dev_y().get()),
        _ => FILTER_PIXEL,
    }
}

/// How much longer a line may become.
pub(super) fn scale_of(transform: Transform) -> f64 {
    let across = f64::from(transform.sx).hypot(f64::from(transform.ky));
    let down = f64::from(transform.kx).hypot(f64::from(transform.sy));
    across.max(down)
}

/// A path in numbers: its segments, its length in its own units and its total rise in pixels, both at most.
pub(super) struct Outline {
    pub(super) segments: f64,
    pub(super) length: f64,
    pub(super) rise: f64,
}

impl Outline {
    pub(super) fn of(path: &Path, scale: f64) -> Self {
        let mut outline = Self { segments: 0.0, length: 0.0, rise: 0.0 };
        let mut last = Point::zero();
        let mut first = last;
        for segment in path.data().segments() {
            outline.segments += 1.0;
            match segment {
                PathSegment::MoveTo(to) => (first, last) = (to, to),
                PathSegment::LineTo(to) => outline.line(&mut last, to),
                PathSegment::QuadTo(via, to) => {
                    outline.line(&mut last, via);
                    outline.line(&mut last, to);
                }
                PathSegment::CubicTo(via, then, to) => {
                    outline.line(&mut last, via);
                    outline.line(&mut last, then);
                    outline.line(&mut last, to);
                }
                PathSegment::Close => outline.line(&mut last, first),
            }
        }
        outline.rise *= scale;
        outline
    }

    fn line(&mut self, last: &mut Point, to: Point) {
        let (across, down) = (f64::from(to.x - last.x), f64::from(to.y - last.y));
        self.length += across.hypot(down);
        // A turned path rises by its width.
        self.rise += across.abs().max(down.abs());
        *last = to;
    }
}
