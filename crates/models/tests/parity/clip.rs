//! CLIP beside `CLIPModel`.

use candle_core::{DType, Device};
use sensorium_domain::EncodeInput;
use sensorium_domain::encoder::Tower;
use sensorium_models::clip::{ClipText, ClipVision};

use crate::case::{self, Case};
use crate::pair;

/// A step of a byte in prepared pictures: 1 / 255 by the least of the deviations.
const STEP: f32 = 1.0 / 255.0 / 0.276;

fn load(case: &Case, dtype: DType) -> (ClipVision, ClipText) {
    let (source, device) = (case.source(), Device::Cpu);
    (ClipVision::load(&source, dtype, &device).unwrap(), ClipText::load(&source, dtype, &device).unwrap())
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
    for name in ["clip-small", "clip-small-gelu"] {
        check(&case::small(name));
    }
}

#[test]
fn models_of_full_size() {
    for case in case::full_size("clip") {
        check(&case);
        check_half(&case, DType::BF16);
    }
}

#[test]
fn half_precision_stays_near() {
    for dtype in [DType::F16, DType::BF16] {
        check_half(&case::small("clip-small"), dtype);
    }
}

#[test]
fn a_wrong_input_fails_alone() {
    let (vision, text) = load(&case::small("clip-small"), DType::F32);
    let (words, picture) =
        (EncodeInput::Text("a cat".into()), EncodeInput::Image { width_px: 2, height_px: 1, rgb: vec![9; 6].into() });
    let broken = EncodeInput::Image { width_px: 2, height_px: 2, rgb: vec![9; 6].into() };
    let inputs = [words.clone(), picture, broken];
    let seen = vision.forward(&inputs).unwrap();
    assert_eq!(seen[0].as_ref().unwrap_err(), "a picture model takes no text");
    assert_eq!(seen[1].as_ref().unwrap().len(), 24);
    assert_eq!(seen[2].as_ref().unwrap_err(), "a picture of 2 by 2 pixels has 12 bytes, not 6");
    let read = text.forward(&inputs).unwrap();
    assert_eq!(read[0], text.forward(&[words]).unwrap()[0]);
    assert_eq!(read[1].as_ref().unwrap_err(), "a text model takes no image");
    assert!(vision.forward(&[]).unwrap().is_empty());
}

#[test]
fn a_folder_that_does_not_fit_together_is_refused() {
    let small = case::small("clip-small").folder;
    let refused = |name: &str, from: &str, to: &str| {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(&small).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let path = folder.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let source = sensorium_models::Source::Folder(folder.path().to_owned());
        ClipVision::load(&source, DType::F32, &Device::Cpu).err().unwrap().to_string()
    };
    let error = refused("preprocessor_config.json", "34", "32");
    assert!(error.contains("32 by 32 for a model of 34 by 34"), "{error}");
    let error = refused("config.json", "\"patch_size\": 8", "\"patch_size\": 4");
    assert!(error.contains("vision_model.embeddings.p"), "{error}");
    let error = refused("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    assert!(error.contains("vision_model.encoder.layers.2"), "{error}");
}
