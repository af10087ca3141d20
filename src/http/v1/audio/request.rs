//! The form of a transcription.

use bytes::Bytes;
use sensorium_domain::ModelName;
use utoipa::ToSchema;

use crate::error::{ApiError, FieldError};
use crate::http::upload::UploadedFile;
use crate::transcribe::{Task, TranscribeOptions};

/// A sound and how to write it down, for the OpenAPI document.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct SpeechForm {
    /// The sound.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// `whisper-1`, or the model's own name. There is one, so it may be left out.
    model: Option<String>,
    /// A code such as `de`, or an English name. Found out when left out. Translations take none.
    language: Option<String>,
    /// Words that the sound is about, or the text before it: names and spellings follow it.
    prompt: Option<String>,
    /// `json`, `text`, `srt`, `verbose_json` or `vtt`; `json` when left out.
    response_format: Option<String>,
    /// From 0 to 1. When left out, 0 and then higher ones where a text is not believed.
    temperature: Option<f32>,
    /// `segment` or `word`, once or twice; for `verbose_json`.
    #[schema(rename = "timestamp_granularities[]")]
    timestamp_granularities: Option<Vec<String>>,
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Text,
    Srt,
    VerboseJson,
    Vtt,
}

/// What is asked.
#[derive(Debug)]
pub(super) struct SpeechRequest {
    pub(super) bytes: Bytes,
    pub(super) name: Option<String>,
    pub(super) options: TranscribeOptions,
    pub(super) format: Format,
    pub(super) segments: bool,
}

impl SpeechRequest {
    /// Reads the fields of a form; every fault of it is told.
    pub(super) fn read(fields: Vec<UploadedFile>, task: Task, model: &ModelName) -> Result<Self, ApiError> {
        let mut asked = Self {
            bytes: Bytes::new(),
            name: None,
            options: TranscribeOptions { task, ..TranscribeOptions::default() },
            format: Format::Json,
            segments: false,
        };
        let mut faults = Vec::new();
        let mut has_file = false;
        for field in fields {
            if field.field == "file" {
                has_file = true;
                asked.name = field.name;
                asked.bytes = field.bytes;
                continue;
            }
            let value = String::from_utf8_lossy(&field.bytes).trim().to_owned();
            if let Err(detail) = asked.set(&field.field, &value, model) {
                faults.push(FieldError { pointer: format!("/{}", field.field), detail });
            }
        }
        if !has_file {
            faults.push(FieldError { pointer: "/file".to_owned(), detail: "is missing".to_owned() });
        }
        ApiError::from_faults(faults).map_or(Ok(asked), Err)
    }

    fn set(&mut self, field: &str, value: &str, model: &ModelName) -> Result<(), String> {
        match field {
            "model" => {
                let name = model.0.split_once('@').map_or(model.0.as_str(), |(name, _)| name);
                if !["whisper-1", name, model.0.as_str()].contains(&value) {
                    return Err(format!("\"{value}\" is not here; {name} is (also called whisper-1)"));
                }
            }
            "language" if self.options.task == Task::Translate => {
                return Err("a translation is always into English; the language spoken is found out".to_owned());
            }
            "language" => self.options.language = Some(value.to_owned()).filter(|value| !value.is_empty()),
            "prompt" => self.options.prompt = Some(value.to_owned()).filter(|value| !value.is_empty()),
            "response_format" => {
                self.format = match value {
                    "json" => Format::Json,
                    "text" => Format::Text,
                    "srt" => Format::Srt,
                    "verbose_json" => Format::VerboseJson,
                    "vtt" => Format::Vtt,
                    _ => return Err(format!("\"{value}\" is none of json, text, srt, verbose_json, vtt")),
                }
            }
            "temperature" => match value.parse::<f32>() {
                // As OpenAI has it, 0 is where the search for a text that is believed begins.
                Ok(0.0) => {}
                Ok(temperature) if (0.0..=1.0).contains(&temperature) => self.options.temperatures = vec![temperature],
                _ => return Err(format!("\"{value}\" is not a number from 0 to 1")),
            },
            "timestamp_granularities[]" | "timestamp_granularities" => match value {
                "word" => self.options.word_timestamps = true,
                "segment" => self.segments = true,
                _ => return Err(format!("\"{value}\" is neither segment nor word")),
            },
            _ => {
                return Err(
                    "no such field; there are file, model, language, prompt, response_format, temperature, timestamp_granularities[]"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }
}
