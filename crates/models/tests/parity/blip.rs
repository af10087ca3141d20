//! BLIP beside `generate` of `BlipForConditionalGeneration` and `BlipForQuestionAnswering`.

use candle_core::{DType, Device, Tensor};
use sensorium_domain::EncodeInput;
use sensorium_models::blip::{
    BlipAnswerer, BlipCaptioner, BlipError, Decoding, GenerateOptions, GeneratedText, MaxTokens,
};
use sensorium_models::generation::{BeamOptions, Stop};
use sensorium_models::image_processor::ImageProcessor;
use sensorium_models::{ModelError, Source};
use serde::Deserialize;
use serde_json::Value;

use crate::case::{Case, full_size, small};
use crate::pair;

/// A step of a byte in prepared pictures: 1 / 255 by the least of the deviations.
const STEP: f32 = 1.0 / 255.0 / 0.261;

/// What a run of the reference was asked for and what it wrote.
#[derive(Debug, Deserialize)]
struct Run {
    prompt: Option<String>,
    questions: Option<Vec<String>>,
    asked: Asked,
    scored: bool,
    tokens: Vec<Vec<u32>>,
    texts: Vec<String>,
    scores: Vec<f32>,
}

/// The words of `generate`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    num_beams: Option<usize>,
    length_penalty: Option<f32>,
    #[serde(default)]
    early_stopping: Value,
    max_new_tokens: Option<usize>,
    max_length: Option<usize>,
    min_new_tokens: Option<usize>,
    repetition_penalty: Option<f32>,
}

impl Asked {
    fn options(&self) -> GenerateOptions {
        let default = GenerateOptions::default();
        let stop = match &self.early_stopping {
            Value::Bool(true) => Stop::Full,
            Value::String(_) => Stop::Impossible,
            _ => Stop::Unlikely,
        };
        let beams = BeamOptions { length_penalty: self.length_penalty.unwrap_or(1.0), stop };
        GenerateOptions {
            decoding: self.num_beams.map_or(Decoding::Greedy, |width| Decoding::Beams { width, options: beams }),
            max_tokens: match (self.max_new_tokens, self.max_length) {
                (Some(new), _) => MaxTokens::New(new),
                (None, Some(total)) => MaxTokens::Total(total),
                (None, None) => default.max_tokens,
            },
            min_new_tokens: self.min_new_tokens.unwrap_or(0),
            repetition_penalty: self.repetition_penalty.unwrap_or(1.0),
            ..default
        }
    }
}

/// Either of the two models.
enum Model {
    Captioner(BlipCaptioner),
    Answerer(BlipAnswerer),
}

impl Model {
    fn load(case: &Case, dtype: DType) -> Self {
        if case.name.contains("vqa") {
            Self::Answerer(BlipAnswerer::load(&case.source(), dtype, &Device::Cpu).unwrap())
        } else {
            Self::Captioner(BlipCaptioner::load(&case.source(), dtype, &Device::Cpu).unwrap())
        }
    }

    fn processor(&self) -> &ImageProcessor {
        match self {
            Self::Captioner(model) => model.processor(),
            Self::Answerer(model) => model.processor(),
        }
    }

    fn features(&self, pixels: &Tensor) -> Tensor {
        match self {
            Self::Captioner(model) => model.features(pixels).unwrap(),
            Self::Answerer(model) => model.features(pixels).unwrap(),
        }
    }

    /// The texts of some pictures of a run.
    fn write(&self, features: &Tensor, first: usize, count: usize, run: &Run) -> Vec<GeneratedText> {
        let (features, options) = (features.narrow(0, first, count).unwrap(), run.asked.options());
        match self {
            Self::Captioner(model) => model.describe(&features, run.prompt.as_deref(), &options).unwrap(),
            Self::Answerer(model) => {
                let questions = run.questions.as_ref().unwrap()[first..first + count].iter();
                model.reply(&features, &questions.map(String::as_str).collect::<Vec<_>>(), &options).unwrap()
            }
        }
    }
}

fn captioner(case: &Case) -> BlipCaptioner {
    BlipCaptioner::load(&case.source(), DType::F32, &Device::Cpu).unwrap()
}

fn runs(case: &Case) -> Vec<Run> {
    serde_json::from_value(case.facts()["runs"].clone()).unwrap()
}

/// The reference's states of each picture, token by token.
fn rows(features: &Tensor) -> Vec<Vec<f32>> {
    features.to_dtype(DType::F32).unwrap().flatten_from(1).unwrap().to_vec2().unwrap()
}

fn compare(case: &Case) {
    let model = Model::load(case, DType::F32);
    let expected = case.expected("pixel_values");
    let prepared: Vec<Vec<f32>> = case.pictures().iter().take(expected.len()).map(|it| prepare(&model, it)).collect();
    case.compare("prepared pictures from files", &prepared, &expected, 0.999);
    let steps = |found: &Vec<f32>, expected: &Vec<f32>| {
        found.iter().zip(expected).map(|(a, b)| ((a - b).abs() / STEP).round() as u32).max()
    };
    let largest: Vec<_> = prepared.iter().zip(&expected).filter_map(|(a, b)| steps(a, b)).collect();
    println!("parity | {} | largest differences of pixels | {largest:?} |", case.name);

    let features = model.features(&pair::pixels(case, model.processor()));
    case.compare("states of pictures, same tensors", &rows(&features), &case.expected("image_features"), 0.9999);
    let runs = runs(case);
    for run in &runs {
        let together = model.write(&features, 0, expected.len(), run);
        check(case, run, &together);
        // Alone, and beside fewer, everybody gets the same.
        for first in (0..expected.len()).step_by(3) {
            assert_same(&model.write(&features, first, 1, run), &together[first..=first], case);
        }
        assert_same(&model.write(&features, 1, 2, run), &together[1..3], case);
    }
    println!("parity | {} | tokens of generate() | {} runs of {} | equal |", case.name, runs.len(), expected.len());
}

fn prepare(model: &Model, picture: &EncodeInput) -> Vec<f32> {
    match picture {
        EncodeInput::Image { width_px, height_px, rgb } => model.processor().apply(*width_px, *height_px, rgb).unwrap(),
        other => panic!("a picture, not {}", other.modality()),
    }
}

fn check(case: &Case, run: &Run, found: &[GeneratedText]) {
    let tokens: Vec<&[u32]> = found.iter().map(|text| text.tokens.as_slice()).collect();
    assert_eq!(tokens, run.tokens, "{} {run:#?}", case.name);
    for ((found, text), score) in found.iter().zip(&run.texts).zip(&run.scores) {
        assert_eq!(found.text, *text, "{} {run:#?}", case.name);
        assert!(!run.scored || (found.score - score).abs() < 2e-4, "{}: {} {score} {run:#?}", case.name, found.score);
    }
}

fn assert_same(found: &[GeneratedText], expected: &[GeneratedText], case: &Case) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!((&found.tokens, &found.text), (&expected.tokens, &expected.text), "{}", case.name);
        assert!((found.score - expected.score).abs() < 1e-4, "{}: {} {}", case.name, found.score, expected.score);
    }
}

#[test]
fn small_models_write_what_the_reference_writes() {
    for name in ["blip-small", "blip-small-large", "blip-small-vqa"] {
        compare(&small(name));
    }
}

#[test]
fn models_of_full_size() {
    for case in full_size("blip") {
        compare(&case);
        states_in_half(&case, DType::BF16);
    }
}

/// What the expectations are worth: pictures get different texts, of different lengths, and beams find others than greed.
#[test]
fn expectations_differ() {
    for name in ["blip-small", "blip-small-large", "blip-small-vqa"] {
        let runs = runs(&small(name));
        let (greedy, beams) = (&runs[0], runs.iter().find(|run| run.asked.num_beams == Some(3)).unwrap());
        assert_ne!(greedy.tokens, beams.tokens, "{name}");
        for run in [greedy, beams] {
            let mut tokens = run.tokens.clone();
            tokens.sort();
            tokens.dedup();
            assert!(tokens.len() > 2, "{name}: {tokens:?}");
            assert!(tokens.iter().any(|tokens| tokens.len() < 19), "{name}: no text ends by itself");
        }
    }
}

#[test]
fn pictures_from_files_are_described_a_few_at_a_time() {
    let case = small("blip-small");
    let model = captioner(&case);
    let mut pictures = case.pictures();
    let options = GenerateOptions { pictures_at_once: 3, ..GenerateOptions::default() };
    let alone: Vec<GeneratedText> = pictures
        .iter()
        .map(|picture| {
            let picture = std::slice::from_ref(picture);
            model.caption(picture, Some("a photo of"), &options).unwrap().remove(0).unwrap()
        })
        .collect();
    pictures.insert(1, EncodeInput::Text("a cat".into()));
    pictures.insert(3, EncodeInput::Image { width_px: 2, height_px: 2, rgb: vec![9; 6].into() });
    let mut together = model.caption(&pictures, Some("a photo of"), &options).unwrap();
    assert_eq!(together.remove(3).unwrap_err(), "a picture of 2 by 2 pixels has 12 bytes, not 6");
    assert_eq!(together.remove(1).unwrap_err(), "a picture model takes no text");
    let together: Vec<GeneratedText> = together.into_iter().map(Result::unwrap).collect();
    assert_same(&together, &alone, &case);
    assert!(together.iter().all(|caption| caption.text.starts_with("a photo of")), "{together:?}");
    assert!(model.caption(&[], None, &options).unwrap().is_empty());
}

#[test]
fn questions_of_any_length_stand_beside_each_other() {
    let case = small("blip-small-vqa");
    let Model::Answerer(model) = Model::load(&case, DType::F32) else { panic!("no answerer") };
    let questions = ["what?", "is the cat on the wall or near the river bank?", "", &"river ".repeat(60)];
    let asked: Vec<(EncodeInput, &str)> = case.pictures().into_iter().zip(questions).collect();
    let options = GenerateOptions::default();
    let mut together = model.answer(&asked, &options).unwrap();
    assert_eq!(together.remove(3).unwrap_err(), "the question: it has 60 tokens, and the model reads 46");
    for (asked, together) in asked.iter().zip(together) {
        let alone = model.answer(std::slice::from_ref(asked), &options).unwrap().remove(0).unwrap();
        assert_same(&[together.unwrap()], &[alone], &case);
    }
    let features = model.features(&pair::pixels(&case, model.processor())).unwrap();
    let refused = |questions: &[&str]| model.reply(&features, questions, &options).unwrap_err();
    assert!(matches!(refused(&["what?"]), BlipError::Count { questions: 1, pictures: 4 }));
    assert!(matches!(refused(&questions), BlipError::Question { index: 3, .. }));
}

#[test]
fn chance_is_fixed_by_the_seed_and_not_by_the_batch() {
    let case = small("blip-small");
    let model = captioner(&case);
    let features = model.features(&pair::pixels(&case, model.processor())).unwrap();
    let write = |features: &Tensor, top_p, temperature, seed| {
        let decoding = Decoding::Nucleus { top_p, temperature, seed };
        model.describe(features, None, &GenerateOptions { decoding, ..GenerateOptions::default() }).unwrap()
    };
    let drawn = write(&features, 0.9, 1.0, 3);
    assert_same(&write(&features, 0.9, 1.0, 3), &drawn, &case);
    assert_same(&write(&features.narrow(0, 2, 1).unwrap(), 0.9, 1.0, 3), &drawn[2..3], &case);
    assert_ne!(write(&features, 0.9, 1.0, 4), drawn);
    // The likeliest alone are a nucleus, and so is what is cold enough.
    let greedy = model.describe(&features, None, &GenerateOptions::default()).unwrap();
    assert_same(&write(&features, 1e-6, 1.0, 3), &greedy, &case);
    assert_same(&write(&features, 1.0, 1e-4, 3), &greedy, &case);
}

fn states_in_half(case: &Case, dtype: DType) -> (Model, Tensor) {
    let model = Model::load(case, dtype);
    let features = model.features(&pair::pixels(case, model.processor()));
    case.compare(&format!("states in {dtype:?}"), &rows(&features), &case.expected("image_features"), 0.995);
    (model, features)
}

#[test]
fn half_precision_is_near() {
    for name in ["blip-small", "blip-small-large", "blip-small-vqa"] {
        let case = small(name);
        for dtype in [DType::BF16, DType::F16] {
            let (model, features) = states_in_half(&case, dtype);
            for run in runs(&case) {
                let found = model.write(&features, 0, run.tokens.len(), &run);
                assert!(found.iter().all(|text| text.score.is_finite()), "{name} {dtype:?} {found:?}");
            }
        }
    }
}

#[test]
fn prompts_and_options_that_cannot_be_are_refused() {
    let case = small("blip-small");
    let model = captioner(&case);
    let picture = &case.pictures()[..1];
    let refused = |prompt: &str, options: &GenerateOptions| {
        model.caption(picture, Some(prompt), options).unwrap_err().to_string()
    };
    let default = GenerateOptions::default();
    assert_eq!(
        refused(&"river ".repeat(60), &default),
        "the prompt cannot be used: it has 60 tokens, and the model reads 46"
    );
    let short = GenerateOptions { max_tokens: MaxTokens::Total(3), ..default.clone() };
    assert!(refused("river river river", &short).contains("leaves none to write"));
    let none = GenerateOptions { pictures_at_once: 0, ..default.clone() };
    assert_eq!(model.caption(&[], None, &none).unwrap_err().to_string(), "pictures_at_once is 0, allowed: 1 or more");
    // To the last position, and no further.
    let endless = GenerateOptions { max_tokens: MaxTokens::New(500), min_new_tokens: 500, ..default };
    assert_eq!(
        model.caption(picture, Some(&"river ".repeat(20)), &endless).unwrap()[0].as_ref().unwrap().tokens.len(),
        47
    );
}

#[test]
fn files_that_do_not_fit_are_named() {
    let refused = |name: &str, file: &str, from: &str, to: &str| {
        let (case, folder) = (small(name), tempfile::tempdir().unwrap());
        for entry in std::fs::read_dir(&case.folder).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(folder.path().join(file), text.replace(from, to)).unwrap();
        let source = Source::Folder(folder.path().to_owned());
        let error = if name.contains("vqa") {
            BlipAnswerer::load(&source, DType::F32, &Device::Cpu).err()
        } else {
            BlipCaptioner::load(&source, DType::F32, &Device::Cpu).err()
        };
        error.unwrap().to_string()
    };
    let has = |error: String, part: &str| assert!(error.contains(part), "{error}");
    has(refused("blip-small-vqa", "config.json", "BlipForQuestionAnswering", "BlipForX"), "architecture \"BlipForX\"");
    has(refused("blip-small", "config.json", "\"hidden_act\": \"gelu\"", "\"hidden_act\": \"mish\""), "`mish`");
    has(refused("blip-small", "config.json", "\"image_size\": 32", "\"image_size\": 64"), "32 by 32 for a model of 64");
    has(refused("blip-small", "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"), "layers.2");
    has(
        refused("blip-small-large", "config.json", "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"),
        "no tensor \"text_decoder.bert.embeddings.word_embeddings.weight\"",
    );
    has(
        refused("blip-small", "config.json", "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"),
        "no tensor \"text_decoder.cls.predictions.decoder.weight\"",
    );
    let wrong = BlipCaptioner::load(&small("blip-small").source(), DType::F64, &Device::Cpu);
    assert!(matches!(wrong, Err(ModelError::Unsupported { what: "precision", .. })));
    let wrong = BlipAnswerer::load(&small("blip-small").source(), DType::F32, &Device::Cpu);
    has(wrong.err().unwrap().to_string(), "supported: BlipForQuestionAnswering");
}
