//! Activations and softmax, written so that the compiler turns them into vector instructions.

use pulp::{Arch, Simd, WithSimd};

/// A loop that is compiled for every instruction set. It is not a closure, because what calls a closure is at times not inlined and then compiled for the least set.
struct Each<'a, F> {
    values: &'a mut [f32],
    f: F,
}

impl<F: Fn(f32) -> f32> WithSimd for Each<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for value in self.values {
            *value = (self.f)(*value);
        }
    }
}

/// Applies `f`, which must be inlined, to every number.
fn each(values: &mut [f32], f: impl Fn(f32) -> f32) {
    Arch::new().dispatch(Each { values, f });
}

struct AddBias<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
}

impl WithSimd for AddBias<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact_mut(self.bias.len()) {
            for (value, bias) in row.iter_mut().zip(self.bias) {
                *value += bias;
            }
        }
    }
}

/// Adds `bias` to every row of `rows`, whose length is that of `bias`.
pub fn add_bias(rows: &mut [f32], bias: &[f32]) {
    Arch::new().dispatch(AddBias { rows, bias });
}

/// Adds `bias`, a number for each column, to a piece of a matrix that begins at place `at`: some whole rows or a part of one.
pub fn add_columns(piece: &mut [f32], bias: &[f32], at: usize) {
    let bias = &bias[at % bias.len()..];
    add_bias(piece, &bias[..bias.len().min(piece.len())]);
}

/// `x * P(x > 0)` with the normal distribution's cumulative probability, by the error function and not its tanh approximation
/// (Hendrycks and Gimpel, "Gaussian error linear units", 2016).
pub fn gelu(values: &mut [f32]) {
    each(
        values,
        #[inline(always)]
        |x| 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)),
    );
}

/// The approximation of [`gelu`] by the hyperbolic tangent: `x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))`.
pub fn gelu_tanh(values: &mut [f32]) {
    const TWICE_ROOT: f32 = 2.0 * 0.797_884_6;
    each(
        values,
        #[inline(always)]
        |x| x * sigmoid(TWICE_ROOT * (x + 0.044_715 * x * x * x)),
    );
}

/// `x sigmoid(slope x)`.
pub fn gated(values: &mut [f32], slope: f32) {
    each(
        values,
        #[inline(always)]
        |x| x * sigmoid(slope * x),
    );
}

/// The hyperbolic tangent.
pub fn tanh(values: &mut [f32]) {
    each(
        values,
        #[inline(always)]
        |x| 2.0 * sigmoid(2.0 * x) - 1.0,
    );
}

/// `1 / (1 + e^-x)`; below -87 it stays at what it is there, 1.6e-38.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let power = if x > 87.0 { -87.0 } else { -x };
    let power = if power > 87.0 { 87.0 } else { power };
    1.0 / (1.0 + exp_within(power))
}

/// 0 where a number is below 0; what is not a number stays so.
pub fn relu(values: &mut [f32]) {
    each(
        values,
        #[inline(always)]
        |x| if x < 0.0 { 0.0 } else { x },
    );
}

struct Softmax<'a> {
    rows: &'a mut [f32],
    width: usize,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact_mut(self.width) {
            let (_, total) = powers(row);
            let scale = 1.0 / total;
            for value in row {
                *value *= scale;
            }
        }
    }
}

/// Turns every row of `width` numbers into probabilities.
pub fn softmax(rows: &mut [f32], width: usize) {
    Arch::new().dispatch(Softmax { rows, width });
}

struct ExpBelowHighest<'a>(&'a mut [f32]);

impl WithSimd for ExpBelowHighest<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (f32, f32) {
        powers(self.0)
    }
}

/// See [`exp_below_highest`], of numbers of which one is above minus infinity.
#[inline(always)]
fn powers(values: &mut [f32]) -> (f32, f32) {
    let highest = lanes_fold(values, f32::NEG_INFINITY, |x| x, |a, b| if a > b { a } else { b });
    for value in &mut *values {
        *value = exp(*value - highest);
    }
    (highest, lanes_fold(values, 0.0, |x| x, |a, b| a + b))
}

/// Turns numbers into their powers of e, divided by that of the highest; gives the highest, and the sum of what came out. Where nothing is above minus infinity, all is 0.
pub fn exp_below_highest(values: &mut [f32]) -> (f32, f32) {
    if values.iter().all(|value| *value == f32::NEG_INFINITY) {
        values.fill(0.0);
        return (f32::NEG_INFINITY, 0.0);
    }
    Arch::new().dispatch(ExpBelowHighest(values))
}

/// Folds `values`, mapped, in 16 independent strands: the order is fixed, and the compiler may use vectors.
#[inline(always)]
pub fn lanes_fold(values: &[f32], start: f32, map: impl Fn(f32) -> f32, combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut strands = [start; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for (strand, value) in strands.iter_mut().zip(chunk) {
            *strand = combine(*strand, map(*value));
        }
    }
    for (strand, value) in strands.iter_mut().zip(rest) {
        *strand = combine(*strand, map(*value));
    }
    strands.into_iter().fold(start, combine)
}

/// The error function to 4e-7: a rational function in `x²`, fitted by weighted least squares over [0, 3.92], beyond which it is 1.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let x = x.clamp(-3.92, 3.92);
    let u = x * x;
    let above = 2.034_732_7e-6;
    let above = above * u + 2.874_792e-4;
    let above = above * u + 3.868_327_2e-3;
    let above = above * u + 5.306_048_3e-2;
    let above = above * u + 1.927_640_9e-1;
    let above = above * u + std::f32::consts::FRAC_2_SQRT_PI;
    let below = 3.807_060_4e-5;
    let below = below * u + 1.188_114_8e-3;
    let below = below * u + 1.517_229_7e-2;
    let below = below * u + 1.150_846_3e-1;
    let below = below * u + 5.041_644e-1;
    let below = below * u + 1.0;
    (x * above / below).clamp(-1.0, 1.0)
}

/// `e^x` for `x <= 0`; below -87 it is 0.
#[inline(always)]
fn exp(x: f32) -> f32 {
    let power = exp_within(if x < -87.0 { -87.0 } else { x });
    if x < -87.0 { 0.0 } else { power }
}

/// `e^x` for `x` from -87 to 87, to a relative error of 4e-7.
///
/// `x = k ln 2 + r` with `|r| <= ln 2 / 2`; `2^k` is made from bits, `e^r` is a Taylor polynomial. Adding `1.5 * 2^23` rounds to an integer.
#[inline(always)]
fn exp_within(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let series = 1.0 / 5040.0;
    let series = series * r + 1.0 / 720.0;
    let series = series * r + 1.0 / 120.0;
    let series = series * r + 1.0 / 24.0;
    let series = series * r + 1.0 / 6.0;
    let series = series * r + 0.5;
    let series = series * r + 1.0;
    let series = series * r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    series * f32::from_bits(exponent << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error function by its series, in f64.
    fn exact_erf(x: f64) -> f64 {
        let mut term = x;
        let mut sum = x;
        for n in 1..200 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn gelu_is_exact_to_single_precision() {
        let mut values: Vec<f32> = (-600..=600).map(|step| step as f32 / 100.0).collect();
        let inputs = values.clone();
        gelu(&mut values);
        for (x, got) in inputs.iter().zip(&values) {
            let x = f64::from(*x);
            let exact = if x.abs() > 5.8 {
                x.max(0.0)
            } else {
                0.5 * x * (1.0 + exact_erf(x * std::f64::consts::FRAC_1_SQRT_2))
            };
            assert!((f64::from(*got) - exact).abs() < 2e-6, "gelu({x}) is {got}, not {exact}");
        }
        let mut extremes = [f32::INFINITY, 1e30, -1e30, f32::NAN];
        gelu(&mut extremes);
        assert!(extremes[0].is_infinite() && extremes[1] == 1e30 && extremes[2] == 0.0 && extremes[3].is_nan());
    }

    #[test]
    fn the_gates_are_exact_to_single_precision() {
        type Exact = fn(f64) -> f64;
        type Ours = fn(&mut [f32]);
        let inputs: Vec<f32> = (-3000..=3000).map(|step| step as f32 / 100.0).collect();
        let cases: [(&str, Ours, Exact); 4] = [
            ("quick gelu", |v| gated(v, 1.702), |x| x / (1.0 + (-1.702 * x).exp())),
            ("silu", |v| gated(v, 1.0), |x| x / (1.0 + (-x).exp())),
            ("tanh", tanh, f64::tanh),
            ("gelu by tanh", gelu_tanh, |x| {
                0.5 * x * (1.0 + (std::f64::consts::FRAC_2_PI.sqrt() * (x + 0.044_715 * x * x * x)).tanh())
            }),
        ];
        for (name, ours, exact) in cases {
            let mut values = inputs.clone();
            ours(&mut values);
            for (x, got) in inputs.iter().zip(&values) {
                let wanted = exact(f64::from(*x));
                assert!((f64::from(*got) - wanted).abs() < 4e-6, "{name}({x}) is {got}, not {wanted}");
            }
        }
    }

    #[test]
    fn exp_is_exact_to_single_precision() {
        for step in -8700..=8700 {
            let x = step as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp_within(x)) / exact - 1.0).abs() < 4e-7, "exp({x})");
            assert!(x > 0.0 || exp(x) == exp_within(x));
        }
        for (x, wanted) in [(f32::INFINITY, 1.0), (200.0, 1.0), (-200.0, 0.0), (f32::NEG_INFINITY, 0.0)] {
            assert!((sigmoid(x) - wanted).abs() < 1e-30, "{x}");
        }
        assert!(sigmoid(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) == 0.0 && exp(f32::NAN).is_nan());
    }

    #[test]
    fn columns_are_found_in_whole_rows_and_in_parts_of_one() {
        let bias = [1.0, 2.0, 3.0, 4.0];
        let (mut rows, mut part) = ([0.0; 8], [0.0; 2]);
        add_columns(&mut rows, &bias, 12);
        assert_eq!(rows, [1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
        add_columns(&mut part, &bias, 9);
        assert_eq!(part, [2.0, 3.0]);
    }

    #[test]
    fn softmax_rows_add_up_to_one() {
        let mut rows: Vec<f32> = (0..3 * 21).map(|seed| (seed * seed % 17) as f32 * 3.0 - 20.0).collect();
        let largest = rows[..21].iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        softmax(&mut rows, 21);
        for row in rows.chunks(21) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        assert!(rows[..21].iter().all(|value| *value <= rows[largest]));
        for place in 0..3 {
            let mut row = [1.0, 2.0, 3.0];
            row[place] = f32::NAN;
            softmax(&mut row, 3);
            assert!(row.iter().all(|value| value.is_nan()), "what is not a number is not hidden");
        }
    }
}
