//! Pixels in memory.

/// A decoded picture, upright, 8 bits per channel, not premultiplied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels, at least 1.
    pub width_px: u32,
    /// Height in pixels, at least 1.
    pub height_px: u32,
    /// Red, green, blue, alpha of each pixel, row by row from the top left: `width_px * height_px * 4` bytes.
    pub rgba: Vec<u8>,
}

/// A picture without transparency, 8 bits per channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb {
    /// Width in pixels.
    pub width_px: u32,
    /// Height in pixels.
    pub height_px: u32,
    /// Red, green, blue of each pixel, row by row from the top left: `width_px * height_px * 3` bytes.
    pub rgb: Vec<u8>,
}

/// A rectangle of a picture, in its own pixels after orientation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PixelBox {
    /// Left edge.
    pub x_px: u32,
    /// Top edge.
    pub y_px: u32,
    /// Width.
    pub width_px: u32,
    /// Height.
    pub height_px: u32,
}

impl Picture {
    /// Whether any pixel is less than opaque.
    pub fn has_transparency(&self) -> bool {
        self.rgba.chunks_exact(4).any(|pixel| pixel[3] != u8::MAX)
    }

    /// The picture laid on white.
    pub fn on_white(&self) -> Rgb {
        let mut rgb = Vec::with_capacity(self.rgba.len() / 4 * 3);
        for pixel in self.rgba.chunks_exact(4) {
            let alpha = u32::from(pixel[3]);
            let over_white = |channel: u8| {
                let blended = u32::from(channel) * alpha + 255 * (255 - alpha);
                ((blended + 127) / 255) as u8
            };
            rgb.extend_from_slice(&[over_white(pixel[0]), over_white(pixel[1]), over_white(pixel[2])]);
        }
        Rgb { width_px: self.width_px, height_px: self.height_px, rgb }
    }

    /// The part of the picture inside `area`, which is first clipped to the picture; `None` when nothing is left of it.
    pub fn crop(&self, area: PixelBox) -> Option<Self> {
        let left = area.x_px.min(self.width_px);
        let top = area.y_px.min(self.height_px);
        let width_px = area.width_px.min(self.width_px - left);
        let height_px = area.height_px.min(self.height_px - top);
        if width_px == 0 || height_px == 0 {
            return None;
        }
        let row_bytes = self.width_px as usize * 4;
        let from = left as usize * 4;
        let until = from + width_px as usize * 4;
        let mut rgba = Vec::with_capacity(width_px as usize * height_px as usize * 4);
        for row in self.rgba.chunks_exact(row_bytes).skip(top as usize).take(height_px as usize) {
            rgba.extend_from_slice(&row[from..until]);
        }
        Some(Self { width_px, height_px, rgba })
    }
}
