//! What is said in a sound, over the addresses and fields that clients of OpenAI's API know.

mod request;
mod subtitles;
pub mod transcriptions;
pub mod translations;
mod view;

use axum::extract::Request;
use axum::response::Response;
use sensorium_media as media;

use crate::error::{ApiError, Code};
use crate::http::upload::read_upload;
use crate::startup::App;
use crate::transcribe::{SAMPLE_RATE_HZ, Task, transcribe};
use request::SpeechRequest;

/// Reads the form, runs the profile's model, writes the text in the form that was asked for.
async fn write_down(app: &App, request: Request, task: Task) -> Result<Response, ApiError> {
    let Some(transcriber) = &app.profile.transcriber else {
        let detail = format!("the profile {} has no model that writes down speech", app.profile.name);
        return Err(ApiError::new(Code::NotInProfile, detail));
    };
    let upload = read_upload::<serde_json::Value>(request, app, "request").await?;
    if upload.json.is_some() {
        let detail = "send multipart/form-data with the sound in the field \"file\"";
        return Err(ApiError::new(Code::UnsupportedContentType, detail));
    }
    let asked = SpeechRequest::read(upload.files, task, &transcriber.model)?;
    let (limits, bytes, name) = (app.config.ingest.limits.clone(), asked.bytes.clone(), asked.name.clone());
    let sound = app.media_pool.run(move || {
        let kind = media::sniff(&bytes, name.as_deref())?;
        let sound = media::decode_audio(&bytes, kind, &limits)?;
        media::resample(&sound, SAMPLE_RATE_HZ)
    });
    let sound = sound.await?.map_err(|error| ApiError::media(&error, "/file", asked.name.as_deref()))?;
    let duration_ms = sound.duration_ms();
    let transcript = transcribe(transcriber, sound.samples, asked.options.clone()).await?;
    Ok(view::response(&asked, duration_ms, &transcript))
}
