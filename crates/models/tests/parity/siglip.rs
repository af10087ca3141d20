//! SigLIP and SigLIP 2 beside `SiglipModel`.

use candle_core::{DType, Device};
use sensorium_models::siglip::{SiglipText, SiglipVision};

use crate::case::{self, Case};
use crate::pair;

/// A step of a byte in prepared pictures: 1 / 255 by the deviation.
const STEP: f32 = 1.0 / 255.0 / 0.5;

fn load(case: &Case, dtype: DType) -> (SiglipVision, SiglipText) {
    let (source, device) = (case.source(), Device::Cpu);
    (SiglipVision::load(&source, dtype, &device).unwrap(), SiglipText::load(&source, dtype, &device).unwrap())
}

fn check(case: &Case) {
    let (vision, text) = load(case, DType::F32);
    pair::prepared_pictures(case, vision.processor(), STEP);
    let tokens = pair::tokens(case, |words| text.tokenise(words));
    pair::features(
        case,
        "pictures, same tensors",
        vision.features(&pair::pixels(case, vision.processor())),
        "image_features",
    );
    pair::features(case, "texts, same tensors", text.features(&tokens), "text_features");
    pair::tower(case, "pictures from files", &vision, &case.pictures(), "image_features", 0.999);
    pair::tower(case, "texts", &text, &pair::texts(case), "text_features", 0.9999);
}

fn check_half(case: &Case, dtype: DType) {
    let (vision, text) = load(case, dtype);
    pair::half_precision(case, dtype, &vision, &text);
}

#[test]
fn small_models_equal_the_reference() {
    for name in ["siglip-small", "siglip2-small"] {
        check(&case::small(name));
    }
}

#[test]
fn models_of_full_size() {
    for case in case::full_size("siglip") {
        check(&case);
        check_half(&case, DType::BF16);
    }
}

#[test]
fn half_precision_stays_near() {
    for dtype in [DType::F16, DType::BF16] {
        check_half(&case::small("siglip-small"), dtype);
    }
}
