//! Prints how long fully connected layers take in f32 as the towers compute them, and in f32, bf16 and `Q8_0` as the library does, and how near
//! the latter two stay: whether weights of 8 bits would be worth their while on this processor. A single layer stays in the cache; all layers of
//! a model, one after the other, do not, and that is how a short query meets them.
//!
//! The library takes its number of threads from the environment: run it with `RAYON_NUM_THREADS=1` and with as many as there are cores.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::time::Instant;

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{DType, Device, Module, Tensor};
use sensorium_models::layers::Linear;

/// Inputs and outputs of the layers of MiniLM and e5-small: a block has the first four times, the others once.
const SHAPES: [(usize, usize); 3] = [(384, 384), (384, 1536), (1536, 384)];
/// A query of 8 tokens, and 1, 8 and 32 texts of 128.
const ROWS: [usize; 4] = [8, 128, 1024, 4096];

/// A layer in all four ways.
struct Layer {
    inputs: usize,
    ours: Linear,
    turned: Tensor,
    half: Linear,
    eight: QMatMul,
}

impl Layer {
    fn new((inputs, outputs): (usize, usize)) -> Self {
        let weight = (random((outputs, inputs)) / (inputs as f64).sqrt()).unwrap();
        Self {
            inputs,
            ours: Linear::new(&weight, None).unwrap(),
            turned: weight.t().unwrap(),
            half: Linear::new(&weight.to_dtype(DType::BF16).unwrap(), None).unwrap(),
            eight: QMatMul::from_qtensor(QTensor::quantize(&weight, GgmlDType::Q8_0).unwrap()).unwrap(),
        }
    }
}

fn random(shape: (usize, usize)) -> Tensor {
    Tensor::randn(0.0_f32, 1.0, shape, &Device::Cpu).unwrap()
}

/// The median time of a pass through the layers, in microseconds.
fn median(layers: &[Layer], states: &[Tensor], forward: impl Fn(&Layer, &Tensor) -> Tensor) -> f64 {
    let pass = || {
        for layer in layers {
            let given = states.iter().find(|states| states.dim(1).unwrap() == layer.inputs).unwrap();
            std::hint::black_box(forward(layer, given));
        }
    };
    pass();
    let runs = (100_000 / (layers.len() * states[0].dim(0).unwrap())).clamp(5, 300);
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            pass();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}

fn cosine(a: &Tensor, b: &Tensor) -> f32 {
    let dot = |a: &Tensor, b: &Tensor| (a * b).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn measure(name: &str, layers: &[Layer], rows: &[usize]) {
    for &rows in rows {
        let states = [384, 1536].map(|width| random((rows, width)));
        let halved = states.each_ref().map(|states| states.to_dtype(DType::BF16).unwrap());
        let ours = median(layers, &states, |layer, states| layer.ours.forward(states).unwrap());
        let library = median(layers, &states, |layer, states| states.matmul(&layer.turned).unwrap());
        let half = median(layers, &halved, |layer, states| layer.half.forward(states).unwrap());
        let eight = median(layers, &states, |layer, states| layer.eight.forward(states).unwrap());
        let (first, place) = (&layers[0], usize::from(layers[0].inputs == 1536));
        let exact = first.ours.forward(&states[place]).unwrap();
        let of_half = cosine(&exact, &first.half.forward(&halved[place]).unwrap().to_dtype(DType::F32).unwrap());
        let of_eight = cosine(&exact, &first.eight.forward(&states[place]).unwrap());
        let gain = ours / eight;
        println!(
            "| {name} | {rows} | {ours:.0} | {library:.0} | {half:.0} | {eight:.0} | {gain:.2} | {of_half:.6} | {of_eight:.6} |"
        );
    }
}

fn main() {
    println!(
        "{} threads; medians in microseconds; cosines are those of the first layer\n",
        rayon::current_num_threads()
    );
    println!(
        "| layers | rows | f32 | f32, library | bf16, library | Q8_0, library | f32 / Q8_0 | cosine of bf16 | of Q8_0 |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for shape in SHAPES {
        measure(&format!("{} x {}", shape.0, shape.1), &[Layer::new(shape)], &ROWS);
    }
    for (name, blocks) in [("MiniLM, all layers", 6), ("e5-small, all layers", 12)] {
        let block = [SHAPES[0], SHAPES[0], SHAPES[0], SHAPES[0], SHAPES[1], SHAPES[2]];
        let layers: Vec<Layer> = block.repeat(blocks).into_iter().map(Layer::new).collect();
        measure(name, &layers, &ROWS[..2]);
    }
}
