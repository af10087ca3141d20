//! Prints how many pictures and texts a second a CLIP model encodes on the CPU: `clip_speed FOLDER`. Threads are as many as
//! `RAYON_NUM_THREADS` says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::time::Instant;

use candle_core::{DType, Device};
use sensorium_domain::encoder::{EncodeInput, Tower};
use sensorium_models::Source;
use sensorium_models::clip::{ClipText, ClipVision};

const RUNS: usize = 7;

fn main() {
    let source = Source::Folder(std::env::args().nth(1).expect("the model's folder").into());
    let start = Instant::now();
    let vision = ClipVision::load(&source, DType::F32, &Device::Cpu).unwrap();
    let text = ClipText::load(&source, DType::F32, &Device::Cpu).unwrap();
    println!("loaded in {:.1} s", start.elapsed().as_secs_f64());
    let rgb: Vec<u8> = (0..640 * 480 * 3_u32).map(|place| (place % 251 * 7 % 256) as u8).collect();
    let picture = EncodeInput::Image { width_px: 640, height_px: 480, rgb: rgb.into() };
    let words = EncodeInput::Text("a red bicycle leaning on a wall".into());
    for (what, tower, input) in [("pictures", &vision as &dyn Tower, &picture), ("texts", &text, &words)] {
        for batch in [1, 8] {
            let inputs = vec![input.clone(); batch];
            tower.forward(&inputs).unwrap();
            let mut seconds: Vec<f64> = (0..RUNS)
                .map(|_| {
                    let start = Instant::now();
                    tower.forward(&inputs).unwrap();
                    start.elapsed().as_secs_f64()
                })
                .collect();
            seconds.sort_by(f64::total_cmp);
            let median = seconds[RUNS / 2];
            println!(
                "{what}, {batch} at once: {:.1} a second ({:.0} ms; best {:.0} ms)",
                batch as f64 / median,
                median * 1e3,
                seconds[0] * 1e3
            );
        }
    }
}
