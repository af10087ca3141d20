//! Prints how long the towers take on one thread and on two: `speed TEXT_FOLDER STARTER_FOLDER [ONLY]`, where `ONLY` is a part of a line's name.
//!
//! For one thread the processor's time is told beside the clock's, because a busy machine stretches only the latter.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use sensorium_domain::encoder::{EncodeInput, Tower};
use sensorium_models::starter::{PictureTower, SAMPLE_RATE_HZ, SoundTower, WINDOW_SAMPLES};
use sensorium_models::{Source, TextEncoder};

/// This thread's time on a processor, in milliseconds, where the system tells.
fn processor_ms() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds: f64 = told.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
    nanoseconds / 1e6
}

fn measure(what: &str, items: usize, mut run: impl FnMut()) {
    run();
    let runs = (300 / items).clamp(3, 60);
    let mut times: Vec<(f64, f64)> = (0..runs)
        .map(|_| {
            let (start, processor) = (Instant::now(), processor_ms());
            run();
            (start.elapsed().as_secs_f64() * 1e3, processor_ms() - processor)
        })
        .collect();
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (clock, _) = times[runs / 2];
    times.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (_, processor) = times[runs / 2];
    println!(
        "{:>2} threads  {what:<28} clock {clock:>8.2} ms  processor {processor:>8.2} ms",
        rayon::current_num_threads()
    );
}

fn main() {
    let mut folders = std::env::args().skip(1).map(|folder| Source::Folder(folder.into()));
    let (text, starter) =
        (folders.next().expect("the text model's folder"), folders.next().expect("the starter's folder"));
    let only = std::env::args().nth(3).unwrap_or_default();
    let start = Instant::now();
    let text = Arc::new(TextEncoder::load(&text).unwrap()).tower();
    let pictures = PictureTower::load(&starter).unwrap();
    let sounds = SoundTower::load(&starter).unwrap();
    println!("loaded in {:.0} ms", start.elapsed().as_secs_f64() * 1e3);

    let query = EncodeInput::Text("a red bicycle leaning on a wall".into());
    let words = EncodeInput::Text("time ".repeat(126).into());
    let small = image(64);
    let large = image(1024);
    let sound = EncodeInput::Audio {
        sample_rate_hz: SAMPLE_RATE_HZ,
        samples: (0..WINDOW_SAMPLES).map(|i| (i as f32 * 0.1).sin()).collect(),
    };
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let all: [(&str, &dyn Tower, &EncodeInput, &[usize]); 5] = [
                ("query of 9 tokens", &text, &query, &[1, 8]),
                ("text of 128 tokens", &text, &words, &[1, 8, 32]),
                ("picture of 64 by 64", &pictures, &small, &[1, 8]),
                ("picture of 1024 by 1024", &pictures, &large, &[1]),
                ("sound of 4 s", &sounds, &sound, &[1, 8]),
            ];
            for (what, tower, input, batches) in all.into_iter().filter(|(what, ..)| what.contains(&only)) {
                for &batch in batches {
                    let inputs = vec![input.clone(); batch];
                    measure(&format!("{batch} x {what}"), batch, || drop(tower.forward(&inputs).unwrap()));
                }
            }
        });
    }
}

fn image(side: u32) -> EncodeInput {
    let rgb = (0..side * side * 3).map(|i| (i % 251 * 7 % 256) as u8).collect();
    EncodeInput::Image { width_px: side, height_px: side, rgb }
}
