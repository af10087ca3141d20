//! Prints how long a text model takes for one short query and for batches: `text_speed FOLDER`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::time::Instant;

use sensorium_models::{Source, TextEncoder};

fn median_ms(runs: usize, mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}

fn main() {
    let folder = std::env::args().nth(1).expect("the model's folder");
    let start = Instant::now();
    let encoder = TextEncoder::load(&Source::Folder(folder.into())).unwrap();
    println!("load {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let words = "time ".repeat(126);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let query = median_ms(50, || {
                encoder
                    .encode(&["a red bicycle leaning on a wall"])
                    .unwrap();
            });
            println!("{threads} threads: short query {query:.2} ms");
            for batch in [1, 8, 32] {
                let texts = vec![words.as_str(); batch];
                let time = median_ms(7, || drop(encoder.encode(&texts).unwrap()));
                println!(
                    "{threads} threads: {batch} x 128 tokens {time:.1} ms, {:.1} texts/s",
                    batch as f64 / time * 1e3
                );
            }
        });
    }
}
