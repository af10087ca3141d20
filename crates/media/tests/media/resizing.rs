//! Resizing is held against Pillow.

use sensorium_media::{Filter, Rgb, resize_rgb};

/// What Pillow makes of the same picture; see `tests/fixtures/make.sh`.
const GOLDEN: &[u8] = include_bytes!("../fixtures/resize.rgb");

fn picture() -> Rgb {
    let (width_px, height_px) = (37_u32, 29_u32);
    let rgb = (0..height_px)
        .flat_map(|y| (0..width_px).map(move |x| (x, y)))
        .flat_map(|(x, y)| [(x * 7 + y * 3) % 256, (x * x + y * 11) % 256, ((x ^ y) * 5) % 256])
        .map(|channel| channel as u8)
        .collect();
    Rgb { width_px, height_px, rgb }
}

#[test]
fn values_are_those_of_pillow() {
    let mut golden = GOLDEN;
    let mut differences = [0_usize; 256];
    for filter in [Filter::Bilinear, Filter::Bicubic] {
        for (width, height) in [(16, 12), (5, 29), (40, 8)] {
            let resized = resize_rgb(&picture(), width, height, filter).expect("a resized picture");
            let (expected, rest) = golden.split_at(resized.rgb.len());
            golden = rest;
            for (ours, theirs) in resized.rgb.iter().zip(expected) {
                differences[usize::from(ours.abs_diff(*theirs))] += 1;
            }
        }
    }
    assert!(golden.is_empty());
    println!("values that differ by 0, 1, 2, ...: {:?}", &differences[..5]);
    assert_eq!(differences[3..].iter().sum::<usize>(), 0, "no value is off by more than 2");
}

#[test]
fn odd_requests_are_answered() {
    let one = resize_rgb(&picture(), 0, 0, Filter::Bicubic).expect("one pixel");
    assert_eq!((one.width_px, one.height_px, one.rgb.len()), (1, 1, 3));
    let broken = Rgb { rgb: vec![0; 5], ..picture() };
    assert!(resize_rgb(&broken, 4, 4, Filter::Bilinear).is_err());
}
