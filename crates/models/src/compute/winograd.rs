//! 3 by 3 convolutions at stride 1 with 4 multiplications for every 9 (Lavin and Gray, "Fast algorithms for convolutional neural
//! networks", 2015, F(2x2, 3x3)): tiles of 4 by 4 pixels, 2 apart, become 16 numbers each, which are multiplied place by place.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::gemm::{Packed, serial};
use super::rows::Strided;
use super::sharing::Finish;

/// Places of a transformed tile.
const PLACES: usize = 16;
/// Most tiles that go through all steps at a time; together they should stay in the second-level cache.
const TASK_TILES: usize = 48;
/// Both numbers of channels are multiples of the widest vector.
const WIDEST: usize = 16;

/// The transformed weights: for each place, channels x outputs.
#[derive(Debug, Clone)]
pub struct Winograd {
    side: usize,
    channels: usize,
    outputs: usize,
    places: Vec<Packed>,
}

impl Winograd {
    /// Whether it works, and pays, for pictures of `side` by `side`: in small ones there are too few tiles for the larger weights.
    pub fn suits(side: usize, channels: usize, outputs: usize) -> bool {
        side.is_multiple_of(2) && side >= 8 && channels.is_multiple_of(WIDEST) && outputs.is_multiple_of(WIDEST)
    }

    /// From weights in the order output, channel, row, column, where [`Self::suits`].
    pub fn new(weight: &[f32], side: usize, channels: usize, outputs: usize) -> Self {
        let kernels = weight.as_chunks::<9>().0;
        let transformed: Vec<[f32; PLACES]> = kernels.iter().map(transform_kernel).collect();
        let places = (0..PLACES)
            .map(|place| {
                Packed::new(channels, outputs, |channel, output| transformed[output * channels + channel][place])
            })
            .collect();
        Self { side, channels, outputs, places }
    }

    /// `x` is pictures x side x side x channels; pictures x side x side x outputs come out.
    pub fn apply(&self, x: &[f32], finish: &impl Finish) -> Vec<f32> {
        let pictures = x.len() / (self.side * self.side * self.channels);
        let mut out = vec![0.0; pictures * self.side * self.side * self.outputs];
        let tiles_per_row = self.side / 2;
        let rows = pictures * tiles_per_row;
        let each = rows.div_ceil(rayon::current_num_threads());
        let task_rows = (TASK_TILES / tiles_per_row).min(each).max(1);
        let pixels = task_rows * 2 * self.side;
        out.par_chunks_mut(pixels * self.outputs).enumerate().for_each(|(task, out)| {
            self.rows(x, task * task_rows, out);
            finish.piece(task * pixels * self.outputs, out);
            finish.rows(out);
        });
        out
    }

    /// Rows of tiles, from row `first` of all pictures on, as many as fit into `out`.
    fn rows(&self, x: &[f32], first: usize, out: &mut [f32]) {
        let tiles = out.len() / self.outputs / 4;
        let mut inputs = vec![0.0; tiles * PLACES * self.channels];
        Arch::new().dispatch(ToPlaces { winograd: self, x, first, out: &mut inputs });
        let mut products = vec![0.0; PLACES * tiles * self.outputs];
        for (place, product) in products.chunks_exact_mut(tiles * self.outputs).enumerate() {
            let rows = Strided { data: &inputs[place * self.channels..], stride: PLACES * self.channels };
            serial(&rows, &self.places[place], product);
        }
        Arch::new().dispatch(FromPlaces { winograd: self, products: &products, out });
    }
}

/// `G g G^T` with `G = [1 0 0; ½ ½ ½; ½ -½ ½; 0 0 1]`.
fn transform_kernel(kernel: &[f32; 9]) -> [f32; PLACES] {
    let spread = |a: f32, b: f32, c: f32| {
        let (ends, middle) = (0.5 * (a + c), 0.5 * b);
        [a, ends + middle, ends - middle, c]
    };
    let columns = [0, 1, 2].map(|x| spread(kernel[x], kernel[3 + x], kernel[6 + x]));
    let mut out = [0.0; PLACES];
    for (y, row) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *row = spread(columns[0][y], columns[1][y], columns[2][y]);
    }
    out
}

/// Tiles x places x channels: `B^T d B` with `B^T = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1]`.
struct ToPlaces<'a> {
    winograd: &'a Winograd,
    x: &'a [f32],
    first: usize,
    out: &'a mut [f32],
}

impl WithSimd for ToPlaces<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Winograd { side, channels, .. } = *self.winograd;
        let nothing = vec![0.0; channels];
        let tiles_per_row = side / 2;
        for (tile, out) in self.out.chunks_exact_mut(PLACES * channels).enumerate() {
            let row = self.first + tile / tiles_per_row;
            let (picture, top, left) = (row / tiles_per_row, row % tiles_per_row * 2, tile % tiles_per_row * 2);
            let pixel = |place: usize| {
                let (y, x) = (top + place / 4, left + place % 4);
                if y == 0 || x == 0 || y > side || x > side {
                    return S::as_simd_f32s(&nothing).0;
                }
                let at = (picture * side + y - 1) * side + x - 1;
                S::as_simd_f32s(&self.x[at * channels..][..channels]).0
            };
            let pixels: [&[S::f32s]; PLACES] = std::array::from_fn(pixel);
            let (out, _) = S::as_mut_simd_f32s(out);
            let vectors = channels / S::F32_LANES;
            for at in 0..vectors {
                let mut columns = [[simd.splat_f32s(0.0); 4]; 4];
                for (x, column) in columns.iter_mut().enumerate() {
                    let above = [pixels[x][at], pixels[4 + x][at], pixels[8 + x][at], pixels[12 + x][at]];
                    *column = apart(simd, above);
                }
                for y in 0..4 {
                    let row = apart(simd, [columns[0][y], columns[1][y], columns[2][y], columns[3][y]]);
                    for (x, value) in row.into_iter().enumerate() {
                        out[(y * 4 + x) * vectors + at] = value;
                    }
                }
            }
        }
    }
}

/// From places x tiles x outputs to rows of pixels: `A^T m A` with `A^T = [1 1 1 0; 0 1 -1 -1]`.
struct FromPlaces<'a> {
    winograd: &'a Winograd,
    products: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for FromPlaces<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Winograd { side, outputs, .. } = *self.winograd;
        let (products, _) = S::as_simd_f32s(self.products);
        let (out, _) = S::as_mut_simd_f32s(self.out);
        let vectors = outputs / S::F32_LANES;
        let tiles_per_row = side / 2;
        let tiles = products.len() / (PLACES * vectors);
        for tile in 0..tiles {
            let places: [&[S::f32s]; PLACES] =
                std::array::from_fn(|place| &products[(place * tiles + tile) * vectors..][..vectors]);
            let (top, left) = (tile / tiles_per_row * 2, tile % tiles_per_row * 2);
            for at in 0..vectors {
                let mut columns = [[simd.splat_f32s(0.0); 2]; 4];
                for (x, column) in columns.iter_mut().enumerate() {
                    let above = [places[x][at], places[4 + x][at], places[8 + x][at], places[12 + x][at]];
                    *column = together(simd, above);
                }
                for y in 0..2 {
                    let row = together(simd, [columns[0][y], columns[1][y], columns[2][y], columns[3][y]]);
                    for (x, value) in row.into_iter().enumerate() {
                        out[((top + y) * side + left + x) * vectors + at] = value;
                    }
                }
            }
        }
    }
}

/// One line of four numbers through `B^T`.
#[inline(always)]
fn apart<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
    [simd.sub_f32s(a, c), simd.add_f32s(b, c), simd.sub_f32s(c, b), simd.sub_f32s(b, d)]
}

/// One line of four numbers through `A^T`.
#[inline(always)]
fn together<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
    let sum = simd.add_f32s(a, simd.add_f32s(b, c));
    [sum, simd.sub_f32s(simd.sub_f32s(b, c), d)]
}
