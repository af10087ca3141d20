//! POST /v1/audio/transcriptions: what is said in a sound, in its own language.

use axum::extract::{Request, State};
use axum::response::Response;

use super::request::SpeechForm;
use super::view::VerboseTranscript;
use super::write_down;
use crate::error::ApiError;
use crate::http::access::Caption;
use crate::http::problem::Problems;
use crate::startup::App;
use crate::transcribe::Task;

/// Writes down what is said in a sound, in the language that is spoken. The form's fields are those of OpenAI's API.
#[utoipa::path(post, path = "/v1/audio/transcriptions", operation_id = "create_transcription", tag = "models",
    request_body(content = SpeechForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "The text, in the form that `response_format` asks for; of JSON, `json` has `text` alone",
            content((VerboseTranscript = "application/json"), (String = "text/plain"), (String = "text/vtt"))),
        Problems,
    ))]
pub async fn transcriptions(State(app): State<App>, _caller: Caption, request: Request) -> Result<Response, ApiError> {
    write_down(&app, request, Task::Transcribe).await
}
