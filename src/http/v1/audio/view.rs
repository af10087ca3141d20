//! A transcript in the form that was asked for.

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::request::{Format, SpeechRequest};
use super::subtitles;
use crate::transcribe::{Segment, Task, Transcript, Word, language_name};

/// A transcript with its times, in seconds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VerboseTranscript {
    /// `transcribe` or `translate`.
    task: &'static str,
    /// The language that is spoken, in English.
    #[schema(example = "german")]
    language: String,
    /// Of the sound.
    duration: f64,
    /// All of it.
    text: String,
    /// Where it was said; left out when words alone were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<Vec<SpeechSegment>>,
    /// Every word; when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<SpeechWord>>,
}

/// A stretch of speech.
#[derive(Debug, Serialize, ToSchema)]
struct SpeechSegment {
    /// From 0.
    id: usize,
    /// From the start of the sound.
    start: f64,
    /// From the start of the sound.
    end: f64,
    /// What is said.
    text: String,
    /// As the model wrote it, with timestamps.
    tokens: Vec<u32>,
    /// At which it was decoded.
    temperature: f32,
    /// The mean logarithm of the tokens' probabilities.
    avg_logprob: f32,
    /// By how much zlib shrinks the text: much where it repeats itself.
    compression_ratio: f32,
    /// How likely nothing is said.
    no_speech_prob: f32,
}

/// A word.
#[derive(Debug, Serialize, ToSchema)]
struct SpeechWord {
    /// It.
    word: String,
    /// From the start of the sound.
    start: f64,
    /// From the start of the sound.
    end: f64,
}

/// The answer.
pub(super) fn response(asked: &SpeechRequest, duration_ms: u64, transcript: &Transcript) -> Response {
    let plain = |kind: &'static str, text: String| ([(header::CONTENT_TYPE, kind)], text).into_response();
    match asked.format {
        Format::Json => Json(json!({"text": transcript.text})).into_response(),
        Format::Text => plain("text/plain; charset=utf-8", format!("{}\n", transcript.text)),
        Format::Srt => plain("text/plain; charset=utf-8", subtitles::srt(&transcript.segments)),
        Format::Vtt => plain("text/vtt; charset=utf-8", subtitles::vtt(&transcript.segments)),
        Format::VerboseJson => Json(verbose(asked, duration_ms, transcript)).into_response(),
    }
}

fn verbose(asked: &SpeechRequest, duration_ms: u64, transcript: &Transcript) -> VerboseTranscript {
    let words = asked.options.word_timestamps;
    VerboseTranscript {
        task: if asked.options.task == Task::Translate { "translate" } else { "transcribe" },
        language: language_name(&transcript.language).unwrap_or(&transcript.language).to_owned(),
        duration: seconds(duration_ms),
        text: transcript.text.clone(),
        segments: (asked.segments || !words).then(|| transcript.segments.iter().enumerate().map(segment).collect()),
        words: words.then(|| transcript.segments.iter().flat_map(|segment| &segment.words).map(word).collect()),
    }
}

fn segment((id, segment): (usize, &Segment)) -> SpeechSegment {
    SpeechSegment {
        id,
        start: seconds(segment.start_ms),
        end: seconds(segment.end_ms),
        text: segment.text.clone(),
        tokens: segment.tokens.clone(),
        temperature: segment.temperature,
        avg_logprob: segment.avg_logprob,
        compression_ratio: segment.compression_ratio,
        no_speech_prob: segment.no_speech_prob,
    }
}

fn word(word: &Word) -> SpeechWord {
    SpeechWord { word: word.text.trim().to_owned(), start: seconds(word.start_ms), end: seconds(word.end_ms) }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
