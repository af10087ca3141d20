//! Whisper beside `WhisperForConditionalGeneration.generate`, short and long.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use sensorium_domain::EncodeInput;
use sensorium_media::{Limits, Sound, decode_audio, resample, sniff};
use sensorium_models::whisper::{Progress, Task, TranscribeOptions, Transcript, Whisper, WhisperError};
use sensorium_models::{ModelError, Source};
use serde::Deserialize;

use crate::case::{Case, full_size, small};

/// What a run of the reference was asked for and what it said.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "as the reference writes them")]
struct Run {
    sound: String,
    beams: usize,
    timestamps: bool,
    words: bool,
    language: Option<String>,
    task: String,
    prompt: Option<String>,
    condition: bool,
    english: bool,
    thresholds: Option<Thresholds>,
    first_window_only: bool,
    segments: Vec<Said>,
}

#[derive(Debug, Deserialize)]
struct Thresholds {
    logprob_threshold: f32,
    no_speech_threshold: f32,
}

#[derive(Debug, Deserialize)]
struct Said {
    tokens: Vec<u32>,
    text: String,
    start: Option<f64>,
    end: Option<f64>,
    #[serde(default)]
    words: Vec<(String, f64, f64)>,
}

#[test]
fn it_says_what_the_reference_says() {
    compare(&small("whisper-mini"));
}

#[test]
fn models_of_full_size() {
    for case in full_size("whisper") {
        compare(&case);
        states_in_half(&case, DType::BF16);
    }
}

fn compare(case: &Case) {
    let model = load(&case.source());
    compare_states(case, &model);
    compare_languages(case, &model);
    let facts = case.facts();
    let runs: Vec<Run> = serde_json::from_value(facts["runs"].clone()).unwrap();
    let (english, many): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(|run| run.english);
    for run in many {
        compare_run(case, &model, run);
    }
    if !english.is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let model = load(&english_only(case, folder.path()));
        assert_eq!(model.languages(), ["en"]);
        for run in english {
            compare_run(case, &model, run);
        }
    }
    println!("parity | {} | tokens of generate() | {} runs | equal |", case.name, runs.len());
}

fn load(source: &Source) -> Whisper {
    Whisper::load(source, DType::F32, &Device::Cpu).unwrap()
}

/// The model's files with the languages and tasks taken out of its `generation_config.json`.
fn english_only(case: &Case, folder: &Path) -> Source {
    changed(case, folder, "generation_config.json", |generation| {
        generation["is_multilingual"] = false.into();
        let fields = generation.as_object_mut().unwrap();
        fields.remove("lang_to_id");
        fields.remove("task_to_id");
    })
}

/// The model's files with one of them changed.
fn changed(case: &Case, folder: &Path, name: &str, change: impl FnOnce(&mut serde_json::Value)) -> Source {
    for entry in std::fs::read_dir(&case.folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    let mut value = serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(folder.join(name), value.to_string()).unwrap();
    Source::Folder(folder.to_owned())
}

fn path_of(case: &Case, sound: &str) -> PathBuf {
    case.folder.join("sounds").join(format!("{sound}.wav"))
}

/// The samples of one of the case's sounds.
fn sound(case: &Case, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(path_of(case, name)).unwrap();
    let sound = decode_audio(&bytes, sniff(&bytes, None).unwrap(), &Limits::default()).unwrap();
    assert_eq!(sound.sample_rate_hz, 16_000);
    sound.samples
}

/// The short sounds, by whose numbers the shared files are named too.
fn shorts(case: &Case) -> Vec<String> {
    let names = std::fs::read_dir(case.folder.join("sounds")).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = names.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.retain(|name| name != "long");
    names.sort();
    names
}

fn compare_states(case: &Case, model: &Whisper) {
    let names = shorts(case);
    let sounds: Vec<Vec<f32>> = names.iter().map(|name| sound(case, name)).collect();
    let expected = case.expected("features");
    let features: Vec<Vec<f32>> = sounds.iter().map(|samples| model.features(samples)).collect();
    // The reference has bands first.
    let frames = expected[0].len() / (features[0].len() / frames_of(case));
    let turned = |rows: &[f32]| -> Vec<f32> {
        let bands = rows.len() / frames;
        (0..bands).flat_map(|band| (0..frames).map(move |frame| rows[frame * bands + band])).collect()
    };
    let found: Vec<Vec<f32>> = features.iter().map(|rows| turned(rows)).collect();
    case.compare("features", &found, &expected, 0.99999);
    for (found, expected) in found.iter().zip(&expected) {
        let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-3, "{}: a feature is {worst} away", case.name);
    }

    let slices: Vec<&[f32]> = sounds.iter().map(Vec::as_slice).collect();
    let states = model.encode(&slices).unwrap();
    let found: Vec<Vec<f32>> =
        (0..slices.len()).map(|place| states.get(place).unwrap().flatten_all().unwrap().to_vec1().unwrap()).collect();
    case.compare("encoder states", &found, &case.expected("states"), 0.9999);
    for (place, samples) in slices.iter().enumerate() {
        let alone: Vec<f32> = model.encode(&[samples]).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let worst = alone.iter().zip(&found[place]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "{}: a batch changes a state by {worst}", case.name);
    }

    // From the shared files at 48 kHz, by our own resampling.
    let shared = case.sounds();
    let resampled = names.iter().map(|name| match &shared[name.parse::<usize>().unwrap()] {
        EncodeInput::Audio { sample_rate_hz, samples } => {
            let sound = Sound { sample_rate_hz: *sample_rate_hz, samples: samples.to_vec(), channels_in_file: 1 };
            turned(&model.features(&resample(&sound, model.sample_rate_hz()).unwrap().samples))
        }
        other => panic!("{other:?} is no sound"),
    });
    case.compare("features from 48 kHz files", &resampled.collect::<Vec<_>>(), &expected, 0.999);
}

fn frames_of(case: &Case) -> usize {
    let file: serde_json::Value =
        serde_json::from_slice(&std::fs::read(case.folder.join("preprocessor_config.json")).unwrap()).unwrap();
    file["chunk_length"].as_u64().unwrap() as usize * 100
}

fn compare_languages(case: &Case, model: &Whisper) {
    let detected: std::collections::BTreeMap<String, (String, f32)> =
        serde_json::from_value(case.facts()["detected"].clone()).unwrap();
    for (name, (code, probability)) in detected {
        let found = model.detect_language(&sound(case, &name)).unwrap();
        assert_eq!(found[0].code, code, "{} {name}", case.name);
        assert!((found[0].probability - probability).abs() < 1e-3, "{} {name}: {found:?}", case.name);
        let all: f32 = found.iter().map(|language| language.probability).sum();
        assert!((all - 1.0).abs() < 1e-4);
    }
}

fn options_of(run: &Run) -> TranscribeOptions {
    let thresholds = run.thresholds.as_ref();
    TranscribeOptions {
        language: run.language.clone(),
        task: if run.task == "translate" { Task::Translate } else { Task::Transcribe },
        prompt: run.prompt.clone(),
        beams: run.beams,
        temperatures: vec![0.0],
        compression_ratio_threshold: None,
        log_probability_threshold: thresholds.map(|given| given.logprob_threshold),
        no_speech_threshold: thresholds.map(|given| given.no_speech_threshold),
        condition_on_previous: run.condition,
        timestamps: run.timestamps,
        word_timestamps: run.words,
        ..TranscribeOptions::default()
    }
}

fn compare_run(case: &Case, model: &Whisper, run: &Run) {
    let samples = sound(case, &run.sound);
    let transcript = transcribe(model, &samples, &options_of(run)).unwrap();
    let what = format!("{} {run:#?}\nfound {transcript:#?}", case.name);
    let expected: Vec<&Said> = run.segments.iter().filter(|said| !said.text.is_empty()).collect();
    let mut found = transcript.segments.as_slice();
    if run.first_window_only {
        assert!(found.len() >= expected.len(), "{what}");
        found = &found[..expected.len()];
    }
    let tokens: Vec<&[u32]> = found.iter().map(|segment| segment.tokens.as_slice()).collect();
    let expected_tokens: Vec<&[u32]> = expected.iter().map(|said| said.tokens.as_slice()).collect();
    assert_eq!(tokens, expected_tokens, "{what}");
    let last_ms = samples.len() as u64 * 1000 / 16_000;
    let ms = |seconds: f64| ((seconds * 1000.0).round() as u64).min(last_ms);
    for (segment, said) in found.iter().zip(expected) {
        assert_eq!(segment.text, said.text, "{what}");
        if let (Some(start), Some(end)) = (said.start, said.end) {
            assert!(segment.start_ms.abs_diff(ms(start)) <= 10, "{what}");
            assert!(segment.end_ms.abs_diff(ms(end)) <= 10, "{what}");
        }
        let words: Vec<&str> = segment.words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(words, said.words.iter().map(|word| word.0.as_str()).collect::<Vec<_>>(), "{what}");
        for (word, (_, start, end)) in segment.words.iter().zip(&said.words) {
            assert!(
                word.start_ms.abs_diff(ms(*start)) <= 10 && word.end_ms.abs_diff(ms(*end)) <= 10,
                "{word:?} {what}"
            );
            assert!(word.probability > 0.0 && word.probability <= 1.0, "{what}");
        }
    }
}

fn transcribe(model: &Whisper, samples: &[f32], options: &TranscribeOptions) -> Result<Transcript, WhisperError> {
    model.transcribe(samples, options, &mut |_| ControlFlow::Continue(()))
}

fn plain() -> TranscribeOptions {
    TranscribeOptions { temperatures: vec![0.0], no_speech_threshold: None, ..TranscribeOptions::default() }
}

#[test]
fn sounds_beside_each_other_get_what_they_get_alone() {
    let case = small("whisper-mini");
    let model = load(&case.source());
    let sounds = ["00", "long", "01"].map(|name| sound(&case, name));
    let slices: Vec<&[f32]> = sounds.iter().map(Vec::as_slice).collect();
    for options in [
        plain(),
        TranscribeOptions { beams: 3, windows_at_once: 2, word_timestamps: true, ..plain() },
        TranscribeOptions { temperatures: vec![0.9], seed: 5, log_probability_threshold: None, ..plain() },
    ] {
        let together = model.transcribe_all(&slices, &options, &mut |_| ControlFlow::Continue(())).unwrap();
        let alone: Vec<Transcript> =
            slices.iter().map(|samples| transcribe(&model, samples, &options).unwrap()).collect();
        let shown = |all: &[Transcript]| -> Vec<_> {
            all.iter()
                .map(|one| {
                    let segments: Vec<_> =
                        one.segments.iter().map(|it| (it.start_ms, it.end_ms, it.tokens.clone())).collect();
                    (one.language.clone(), one.text.clone(), segments)
                })
                .collect()
        };
        assert_eq!(shown(&together), shown(&alone));
        assert!(together[1].segments.len() > 1);
    }
}

#[test]
fn chance_is_fixed_by_the_seed() {
    let case = small("whisper-mini");
    let model = load(&case.source());
    let samples = sound(&case, "long");
    let with = |seed| {
        let options = TranscribeOptions { temperatures: vec![1.0], seed, log_probability_threshold: None, ..plain() };
        transcribe(&model, &samples, &options).unwrap()
    };
    assert_eq!(with(3), with(3));
    assert_ne!(with(3).text, with(4).text);
    assert!(with(3).segments.iter().all(|segment| segment.temperature == 1.0));
}

#[test]
fn a_text_that_is_not_believed_is_tried_again_warmer() {
    let case = small("whisper-mini");
    let model = load(&case.source());
    let samples = sound(&case, "01");
    let cold = transcribe(&model, &samples, &plain()).unwrap();
    let mean = cold.segments[0].avg_logprob;
    let options = |threshold| TranscribeOptions {
        temperatures: vec![0.0, 0.3],
        log_probability_threshold: Some(threshold),
        compression_ratio_threshold: None,
        ..plain()
    };
    let believed = transcribe(&model, &samples, &options(mean - 0.01)).unwrap();
    assert_eq!(believed.segments[0].temperature, 0.0);
    let tried = transcribe(&model, &samples, &options(0.0)).unwrap();
    assert!(tried.segments.iter().all(|segment| segment.temperature == 0.3), "{tried:?}");
}

fn states_in_half(case: &Case, dtype: DType) -> Whisper {
    let model = Whisper::load(&case.source(), dtype, &Device::Cpu).unwrap();
    let states = |name: &String| -> Vec<f32> {
        let states = model.encode(&[&sound(case, name)]).unwrap().to_dtype(DType::F32).unwrap();
        states.flatten_all().unwrap().to_vec1().unwrap()
    };
    let found: Vec<Vec<f32>> = shorts(case).iter().map(states).collect();
    case.compare(&format!("encoder states in {dtype:?}"), &found, &case.expected("states"), 0.995);
    model
}

#[test]
fn half_precision_is_near() {
    let case = small("whisper-mini");
    for dtype in [DType::BF16, DType::F16] {
        let model = states_in_half(&case, dtype);
        assert!(!transcribe(&model, &sound(&case, "long"), &plain()).unwrap().segments.is_empty());
    }
}

#[test]
fn it_tells_how_far_it_is_and_can_be_stopped() {
    let case = small("whisper-mini");
    let model = load(&case.source());
    let samples = sound(&case, "long");
    let mut seen: Vec<Progress> = Vec::new();
    model
        .transcribe(&samples, &plain(), &mut |progress| {
            seen.push(progress);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen[0], Progress { done_ms: 0, total_ms: 5000 });
    assert_eq!(seen.last().unwrap().done_ms, 5000);
    assert!(seen.windows(2).all(|pair| pair[0].done_ms < pair[1].done_ms), "{seen:?}");

    let mut windows = 0;
    let stopped = model.transcribe(&samples, &plain(), &mut |_| {
        windows += 1;
        if windows == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(WhisperError::Cancelled)));
    assert_eq!(windows, 2);
}

#[test]
fn sounds_of_any_length_are_taken() {
    let case = small("whisper-mini");
    let model = load(&case.source());
    let long = sound(&case, "long");
    assert!(transcribe(&model, &[], &plain()).unwrap().segments.is_empty());
    for length in [1, 159, 160, 161, 31_999, 32_000, 32_001, 32_160] {
        let end_ms = (length as u64).div_ceil(160) * 10;
        let transcript = transcribe(&model, &long[..length], &plain()).unwrap();
        assert!(transcript.segments.iter().all(|segment| segment.end_ms <= end_ms), "{length}: {transcript:?}");
    }
    assert!(transcribe(&model, &vec![0.0; 40_000], &plain()).is_ok());
    let error = transcribe(&model, &[0.0, f32::NAN], &plain()).unwrap_err();
    assert!(matches!(error, WhisperError::Samples { index: 1 }), "{error}");
}

#[test]
fn options_that_cannot_be_are_refused() {
    let case = small("whisper-mini");
    let model = load(&case.source());
    let refused = |options: TranscribeOptions| transcribe(&model, &[0.0; 100], &options).unwrap_err().to_string();
    let language = |name: &str| TranscribeOptions { language: Some(name.to_owned()), ..plain() };
    assert_eq!(refused(language("klingon")), "language \"klingon\" is not one of this model's; it has: de, en, fr, ja");
    assert!(refused(language("es")).contains("it has: de, en, fr, ja"));
    assert!(transcribe(&model, &[0.0; 100], &language("German")).is_ok());
    assert_eq!(refused(TranscribeOptions { beams: 0, ..plain() }), "beams is 0, allowed: 1 to 16");
    assert!(refused(TranscribeOptions { beams: 17, ..plain() }).contains("beams is 17"));
    assert!(refused(TranscribeOptions { temperatures: vec![], ..plain() }).contains("temperatures is []"));
    assert!(refused(TranscribeOptions { temperatures: vec![-0.1], ..plain() }).contains("temperatures"));
    assert!(refused(TranscribeOptions { windows_at_once: 0, ..plain() }).contains("windows_at_once"));
    let prompt = TranscribeOptions { prompt: Some("a <|endoftext|> b".to_owned()), ..plain() };
    assert!(refused(prompt).contains("the prompt cannot be used"));
}

#[test]
fn models_of_english_only_refuse_other_languages() {
    let case = small("whisper-mini");
    let folder = tempfile::tempdir().unwrap();
    let model = load(&english_only(&case, folder.path()));
    let refused = |options: TranscribeOptions| transcribe(&model, &[0.0; 100], &options).unwrap_err().to_string();
    assert!(refused(TranscribeOptions { task: Task::Translate, ..plain() }).contains("knows English only"));
    let german = TranscribeOptions { language: Some("de".to_owned()), ..plain() };
    assert!(refused(german).contains("language \"de\" needs one of many languages"));
    assert!(matches!(model.detect_language(&[0.0; 100]), Err(WhisperError::EnglishOnly { .. })));
    let english = TranscribeOptions { language: Some("english".to_owned()), ..plain() };
    assert_eq!(transcribe(&model, &[0.0; 100], &english).unwrap().language, "en");
}

#[test]
fn a_checkpoint_for_one_language_is_not_asked_which() {
    let case = small("whisper-mini");
    let language = |name: &str, value: serde_json::Value| {
        let folder = tempfile::tempdir().unwrap();
        let source = changed(&case, folder.path(), "generation_config.json", |file| file[name] = value);
        transcribe(&load(&source), &sound(&case, "01"), &plain()).unwrap().language
    };
    assert_eq!(
        language("forced_decoder_ids", serde_json::json!([[1, null], [2, 327]])),
        "fr",
        "that asks to detect it"
    );
    assert_eq!(language("forced_decoder_ids", serde_json::json!([[1, 323], [2, 327]])), "de");
    assert_eq!(language("language", "japanese".into()), "ja");
}

#[test]
fn files_that_are_not_understood_are_named() {
    let case = small("whisper-mini");
    let refused = |name: &str, field: &str, value: serde_json::Value| {
        let folder = tempfile::tempdir().unwrap();
        let source = changed(&case, folder.path(), name, |file| file[field] = value);
        match Whisper::load(&source, DType::F32, &Device::Cpu) {
            Ok(_) => panic!("{name} with another {field} was loaded"),
            Err(error) => error,
        }
    };
    let unsupported = |error: ModelError, what: &str| match error {
        ModelError::Unsupported { what: found, .. } => assert_eq!(found, what),
        other => panic!("{other}"),
    };
    unsupported(refused("config.json", "model_type", "wav2vec2".into()), "model_type");
    unsupported(refused("config.json", "scale_embedding", true.into()), "scale_embedding");
    unsupported(refused("config.json", "median_filter_width", 6.into()), "median_filter_width");
    unsupported(refused("preprocessor_config.json", "dither", 0.1.into()), "dither");
    unsupported(refused("preprocessor_config.json", "do_normalize", true.into()), "do_normalize");
    unsupported(refused("generation_config.json", "repetition_penalty", 1.2.into()), "repetition_penalty");
    unsupported(refused("generation_config.json", "no_repeat_ngram_size", 3.into()), "no_repeat_ngram_size");
    unsupported(refused("generation_config.json", "early_stopping", "sometimes".into()), "early_stopping");
    unsupported(refused("generation_config.json", "language", "klingon".into()), "language");
    let malformed = |error: ModelError, part: &str| assert!(error.to_string().contains(part), "{error}");
    malformed(refused("config.json", "decoder_attention_heads", 5.into()), "is not a multiple");
    malformed(refused("config.json", "max_source_positions", 7.into()), "do not fit max_source_positions 7");
    malformed(refused("preprocessor_config.json", "feature_size", 81.into()), "differs from the 80 mel bins");
    malformed(refused("generation_config.json", "alignment_heads", serde_json::json!([[0, 9]])), "(0, 9)");
    malformed(refused("generation_config.json", "eos_token_id", 90_000.into()), "beyond the vocabulary");
    malformed(refused("config.json", "vocab_size", 500.into()), "embed_tokens.weight");
    let pair = Whisper::load(&case.source(), DType::F64, &Device::Cpu);
    assert!(matches!(pair, Err(ModelError::Unsupported { what: "precision", .. })));

    let folder = tempfile::tempdir().unwrap();
    let heads = |file: &mut serde_json::Value| file["alignment_heads"] = serde_json::Value::Null;
    let model = load(&changed(&case, folder.path(), "generation_config.json", heads));
    let words = TranscribeOptions { word_timestamps: true, ..plain() };
    assert!(matches!(transcribe(&model, &[0.0; 100], &words), Err(WhisperError::NoAlignmentHeads)));
}
