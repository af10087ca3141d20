//! Seven channels without weights: ink, the gradient's direction by its double angle, and the gradient itself, both relative to
//! the contrast around. So a drawing looks alike whatever its colours, and a line looks alike from either side.

/// Channels that come out.
pub const CHANNELS: usize = 7;

/// `planes` is channel, row, column in [0, 1]; row, column, channel comes out.
pub fn front_end(planes: &[f32], side: usize) -> Vec<f32> {
    let area = side * side;
    let (red, green, blue) = (&planes[..area], &planes[area..2 * area], &planes[2 * area..3 * area]);
    let luma: Vec<f32> = red.iter().zip(green).zip(blue).map(|((r, g), b)| 0.299 * r + 0.587 * g + 0.114 * b).collect();
    let gradients = gradients(&luma, side);
    let magnitudes: Vec<f32> = gradients.iter().map(|[x, y]| (x * x + y * y + 1e-6).sqrt()).collect();
    let around = mean_around(&magnitudes, side);
    let mut out = Vec::with_capacity(area * CHANNELS);
    for pixel in 0..area {
        let [x, y] = gradients[pixel];
        let around = around[pixel] + 0.02;
        let both = magnitudes[pixel] * around;
        out.extend([red, green, blue].map(|plane| 2.0 * (1.0 - plane[pixel])));
        out.extend([(x * x - y * y) / both, 2.0 * x * y / both, x / around, y / around]);
    }
    out
}

/// Sobel's operator over 8; beyond the edge its pixels are repeated.
fn gradients(luma: &[f32], side: usize) -> Vec<[f32; 2]> {
    let mut out = Vec::with_capacity(luma.len());
    for y in 0..side {
        let rows = [y.saturating_sub(1), y, (y + 1).min(side - 1)].map(|y| &luma[y * side..][..side]);
        for x in 0..side {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(side - 1));
            let [above, here, below] = rows;
            let gx = (above[right] - above[left]) + 2.0 * (here[right] - here[left]) + (below[right] - below[left]);
            let gy = (below[left] - above[left]) + 2.0 * (below[x] - above[x]) + (below[right] - above[right]);
            out.push([gx / 8.0, gy / 8.0]);
        }
    }
    out
}

/// The mean over 9 by 9 pixels; beyond the edge its pixels are repeated.
fn mean_around(values: &[f32], side: usize) -> Vec<f32> {
    let last = side as isize - 1;
    let neighbours = |at: usize| (-4..=4_isize).map(move |offset| (at as isize + offset).clamp(0, last) as usize);
    let mut along_rows = Vec::with_capacity(values.len());
    for row in values.chunks_exact(side) {
        along_rows.extend((0..side).map(|x| neighbours(x).map(|x| row[x]).sum::<f32>()));
    }
    let mut out = vec![0.0; values.len()];
    for (y, out) in out.chunks_exact_mut(side).enumerate() {
        for row in neighbours(y) {
            for (sum, value) in out.iter_mut().zip(&along_rows[row * side..]) {
                *sum += value;
            }
        }
        for sum in out {
            *sum /= 81.0;
        }
    }
    out
}
