//! Pillow's antialiased `BILINEAR` filter (`Resample.c`), to the last bit: weights in 22-bit fixed point, every sum rounded to 8 bits.

const BITS: u32 = 22;

/// The weights of a triangle filter along one axis.
pub struct Triangle {
    /// For each output: its first input, and where its weights lie.
    spans: Vec<(usize, std::ops::Range<usize>)>,
    weights: Vec<i32>,
}

impl Triangle {
    /// For `inputs` pixels that become `outputs`.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        let scale = inputs as f64 / outputs as f64;
        // An output looks at one input to either side, or, when shrinking, at one output's width of inputs.
        let reach = scale.max(1.0);
        let mut weights = Vec::new();
        let spans = (0..outputs)
            .map(|output| {
                let centre = (output as f64 + 0.5) * scale;
                let first = (centre - reach + 0.5).max(0.0) as usize;
                let end = ((centre + reach + 0.5) as usize).min(inputs);
                let heights: Vec<f64> =
                    (first..end).map(|input| (1.0 - ((input as f64 - centre + 0.5) / reach).abs()).max(0.0)).collect();
                let total: f64 = heights.iter().sum();
                let start = weights.len();
                weights.extend(heights.iter().map(|height| (height / total * f64::from(1 << BITS) + 0.5) as i32));
                (first, start..weights.len())
            })
            .collect();
        Self { spans, weights }
    }

    /// The first input of an output, and the weights from there on.
    pub fn weights(&self, output: usize) -> (usize, &[i32]) {
        let (first, range) = &self.spans[output];
        (*first, &self.weights[range.clone()])
    }

    /// The weighted sum of inputs.
    pub fn sum(inputs: impl Iterator<Item = u8>, weights: &[i32]) -> u8 {
        let sum: i32 = inputs.zip(weights).map(|(input, weight)| i32::from(input) * weight).sum();
        ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
    }
}
