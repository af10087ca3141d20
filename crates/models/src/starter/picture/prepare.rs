//! Any picture to 64 by 64 pixels: a drawing on a plain ground is cut to its object, anything else is padded to a square.

use rayon::prelude::*;

use super::resize::Triangle;

/// Width and height of what the tower sees.
pub const SIDE: usize = 64;
/// Mean distance of the outermost pixels from their mean colour up to which the ground is plain.
const PLAIN: f64 = 8.0;
/// Distance from the ground's colour, in some channel, above which a pixel belongs to an object.
const OBJECT: u8 = 32;

/// 64 by 64 RGB pixels, row by row.
pub struct Prepared(pub Vec<u8>);

impl Prepared {
    /// Channel, row, column, in [0, 1].
    pub fn planes(&self) -> Vec<f32> {
        (0..3)
            .flat_map(|channel| self.0.iter().skip(channel).step_by(3).map(|value| f32::from(*value) / 255.0))
            .collect()
    }
}

/// Prepares a picture of 8-bit RGB rows.
pub fn prepare(width_px: u32, height_px: u32, rgb: &[u8]) -> Result<Prepared, String> {
    let (width, height) = (width_px as usize, height_px as usize);
    let bytes = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3));
    if bytes != Some(rgb.len()) || rgb.is_empty() {
        let expected = bytes.map_or_else(|| "too many".to_owned(), |bytes| bytes.to_string());
        return Err(format!("a picture of {width} by {height} pixels has {expected} bytes, not {}", rgb.len()));
    }
    let picture = Picture { width, height, rgb };
    Ok(picture.window().resize())
}

struct Picture<'a> {
    width: usize,
    height: usize,
    rgb: &'a [u8],
}

/// A square of a picture; it may reach beyond the picture's edges.
struct Window<'a> {
    picture: &'a Picture<'a>,
    left: i64,
    top: i64,
    side: usize,
    /// Of what lies outside.
    colour: [u8; 3],
}

impl Picture<'_> {
    fn row(&self, y: usize) -> &[[u8; 3]] {
        self.rgb[y * self.width * 3..][..self.width * 3].as_chunks().0
    }

    /// The outermost pixels, each once.
    fn ring(&self) -> impl Iterator<Item = &[u8; 3]> {
        let last = self.height - 1;
        let ends = self.row(0).iter().chain(self.row(last).iter().filter(move |_| last > 0));
        let sides = (1..last.max(1)).flat_map(|y| {
            let row = self.row(y);
            row.first().into_iter().chain(row.last().filter(|_| row.len() > 1))
        });
        ends.chain(sides)
    }

    fn window(&self) -> Window<'_> {
        let count = self.ring().count() as f64;
        let mut sums = [0_u64; 3];
        for pixel in self.ring() {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += u64::from(*value);
            }
        }
        let colour = sums.map(|sum| (sum as f64 / count + 0.5).floor() as u8);
        let distance: u64 =
            self.ring().flat_map(|pixel| pixel.iter().zip(&colour)).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let object = if distance as f64 / (count * 3.0) <= PLAIN { self.object(colour) } else { None };
        let (columns, rows, side) = match object {
            Some(([left, right], [top, bottom])) => {
                let larger = (right - left).max(bottom - top);
                (left + right, top + bottom, (larger * 9).div_ceil(8))
            }
            None => (self.width, self.height, self.width.max(self.height)),
        };
        let start = |ends: usize| (ends as i64 - side as i64).div_euclid(2);
        Window { picture: self, left: start(columns), top: start(rows), side, colour }
    }

    /// The columns and rows that the pixels unlike `ground` span, as first and one past the last.
    fn object(&self, ground: [u8; 3]) -> Option<([usize; 2], [usize; 2])> {
        let differs = |pixel: &[u8; 3]| pixel.iter().zip(ground).any(|(a, b)| a.abs_diff(b) > OBJECT);
        (0..self.height)
            .into_par_iter()
            .filter_map(|y| {
                let row = self.row(y);
                let left = row.iter().position(differs)?;
                let right = row.iter().rposition(differs)?;
                Some(([left, right + 1], [y, y + 1]))
            })
            .reduce_with(|(a, b), (c, d)| ([a[0].min(c[0]), a[1].max(c[1])], [b[0].min(d[0]), b[1].max(d[1])]))
    }
}

impl Window<'_> {
    /// The square shrunk or enlarged to 64 by 64: first along the rows, then along the columns, in whole numbers, as Pillow does it.
    fn resize(&self) -> Prepared {
        if self.side == SIDE {
            let rows = (0..SIDE).flat_map(|y| self.row(y).into_iter().flatten());
            return Prepared(rows.collect());
        }
        let filter = Triangle::new(self.side, SIDE);
        let narrow: Vec<[u8; SIDE * 3]> = (0..self.side).into_par_iter().map(|y| self.narrow(y, &filter)).collect();
        let mut out = Vec::with_capacity(SIDE * SIDE * 3);
        for y in 0..SIDE {
            let (first, weights) = filter.weights(y);
            for column in 0..SIDE * 3 {
                let values = narrow[first..first + weights.len()].iter().map(|row| row[column]);
                out.push(Triangle::sum(values, weights));
            }
        }
        Prepared(out)
    }

    /// A row of the square at its own width.
    fn row(&self, y: usize) -> Vec<[u8; 3]> {
        let mut row = vec![self.colour; self.side];
        let Some(inside) = self.picture_row(y) else {
            return row;
        };
        let from = self.left.max(0) as usize;
        let to = (self.left + self.side as i64).min(self.picture.width as i64) as usize;
        let at = (from as i64 - self.left) as usize;
        row[at..at + to - from].copy_from_slice(&inside[from..to]);
        row
    }

    /// A row of the square at the width of 64 pixels.
    fn narrow(&self, y: usize, filter: &Triangle) -> [u8; SIDE * 3] {
        let mut out = [0; SIDE * 3];
        if self.picture_row(y).is_none() {
            out.as_chunks_mut::<3>().0.fill(self.colour);
            return out;
        }
        let row = self.row(y);
        for (x, pixel) in out.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let (first, weights) = filter.weights(x);
            let values = &row[first..first + weights.len()];
            for (channel, value) in pixel.iter_mut().enumerate() {
                *value = Triangle::sum(values.iter().map(|pixel| pixel[channel]), weights);
            }
        }
        out
    }

    fn picture_row(&self, y: usize) -> Option<&[[u8; 3]]> {
        let y = usize::try_from(self.top + y as i64).ok()?;
        (y < self.picture.height).then(|| self.picture.row(y))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use sha2::{Digest, Sha256};

    use super::*;

    fn picture(kind: &str, width: u32, height: u32) -> Vec<u8> {
        let value = |x: u32, y: u32, c: u32| match kind {
            "busy" => x * x * 31 + y * y * 17 + x * y * 7 + c * 101,
            "ramp" => x * 255 / (width - 1).max(1) + y * c,
            _ => {
                let radius = width.min(height) / 4;
                let is_object = x.abs_diff(width / 3).pow(2) + y.abs_diff(height / 2).pow(2) <= radius.pow(2);
                if is_object { (x * 3 + y * 5 + c * 60) % 200 } else { 250 - c * 10 }
            }
        };
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        pixels.flat_map(|(x, y)| [0, 1, 2].map(|c| (value(x, y, c) % 256) as u8)).collect()
    }

    /// Hashes of what the reference implementation, with Pillow, makes of the same pictures.
    #[test]
    fn equals_pillow_to_the_last_bit() {
        let expected = [
            ("busy", 64, 64, "5be5b9c336510dcc"),
            ("busy", 100, 100, "31b7ff992b99d800"),
            ("busy", 333, 57, "be97877e13e9f709"),
            ("ramp", 57, 333, "9e5d29c4d1cfdfa9"),
            ("busy", 1, 1, "6419f13551125c93"),
            ("busy", 1, 9, "118426d104a9cd8b"),
            ("ramp", 9, 1, "5d42524d211557ed"),
            ("busy", 20, 31, "6ee474d7f2eea7ca"),
            ("plain", 640, 480, "29db7c496f8c639b"),
            ("plain", 65, 64, "52ee0ef44d2d6c2c"),
            ("plain", 40, 90, "280ae0ea04e0aa18"),
            ("ramp", 1000, 7, "330a079e5ee55adb"),
        ];
        for (kind, width, height, expected) in expected {
            let prepared = prepare(width, height, &picture(kind, width, height)).unwrap();
            let hash = Sha256::digest(&prepared.0).iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            });
            assert_eq!(hash[..16], *expected, "{kind} {width} by {height}");
        }
    }

    #[test]
    fn a_wrong_length_is_refused() {
        assert!(prepare(0, 0, &[]).is_err());
        assert!(prepare(u32::MAX, u32::MAX, &[0; 3]).is_err());
    }
}
