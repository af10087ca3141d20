//! Overlapping regions of large pictures, so that small things in them can be found.

use super::picture::PixelBox;

/// When and how a picture is tiled.
#[derive(Debug, Clone, PartialEq)]
pub struct TileOptions {
    /// A picture whose longer side is at most this is not tiled.
    pub min_side_px: u32,
    /// A picture with fewer pixels than this is not tiled.
    pub min_pixels: u64,
    /// The wanted side of a tile; it grows where `max_tiles` would not cover the picture.
    pub tile_side_px: u32,
    /// The least share of a tile's side that it has in common with its neighbour, from 0 to 0.5.
    pub overlap: f32,
    /// The largest number of tiles of one picture.
    pub max_tiles: u32,
}

impl Default for TileOptions {
    fn default() -> Self {
        Self { min_side_px: 1024, min_pixels: 600_000, tile_side_px: 640, overlap: 0.2, max_tiles: 12 }
    }
}

/// The tiles of a picture of this size, row by row: none for a small picture, else at least two that cover all of it.
pub fn tiles(width_px: u32, height_px: u32, options: &TileOptions) -> Vec<PixelBox> {
    let pixels = u64::from(width_px) * u64::from(height_px);
    let longer = width_px.max(height_px);
    if longer <= options.min_side_px || pixels < options.min_pixels || options.max_tiles < 2 {
        return Vec::new();
    }
    let overlap = if options.overlap.is_finite() { f64::from(options.overlap).clamp(0.0, 0.5) } else { 0.0 };
    let mut side = options.tile_side_px.clamp(1, longer);
    loop {
        let columns = count(width_px, side, overlap);
        let rows = count(height_px, side, overlap);
        if columns.saturating_mul(rows) <= u64::from(options.max_tiles) {
            return grid(width_px, height_px, side, columns, rows);
        }
        side = (side + side / 16 + 1).min(longer);
    }
}

/// How many tiles of `side` cover `length` with at least this overlap.
fn count(length: u32, side: u32, overlap: f64) -> u64 {
    if length <= side {
        return 1;
    }
    let step = f64::from(side) * (1.0 - overlap);
    (f64::from(length - side) / step).ceil() as u64 + 1
}

fn grid(width_px: u32, height_px: u32, side: u32, columns: u64, rows: u64) -> Vec<PixelBox> {
    if columns * rows < 2 {
        return Vec::new();
    }
    let mut boxes = Vec::with_capacity((columns * rows) as usize);
    for row in 0..rows {
        for column in 0..columns {
            boxes.push(PixelBox {
                x_px: start(width_px, side, columns, column),
                y_px: start(height_px, side, rows, row),
                width_px: side.min(width_px),
                height_px: side.min(height_px),
            });
        }
    }
    boxes
}

/// Tiles are spread evenly: the first begins at the edge, the last ends at the other.
fn start(length: u32, side: u32, tiles: u64, index: u64) -> u32 {
    let room = u64::from(length.saturating_sub(side));
    if tiles < 2 { 0 } else { (room * index / (tiles - 1)) as u32 }
}
