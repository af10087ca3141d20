//! Pictures are described in sentences by the profile's model.

use sensorium_domain::EncodeInput;
use sensorium_models::blip::{BlipCaptioner, BlipError, Decoding, GenerateOptions, MaxTokens};
use sensorium_models::generation::BeamOptions;

pub use sensorium_models::blip::GeneratedText;

use crate::config;
use crate::error::{ApiError, Code};
use crate::on_demand::OnDemand;

/// A profile's model that describes pictures.
pub type Captioner = OnDemand<BlipCaptioner>;

/// A sentence about a picture, which begins with `prompt` where there is one.
pub async fn caption(
    captioner: &Captioner,
    settings: &config::Captioner,
    picture: EncodeInput,
    prompt: Option<String>,
) -> Result<GeneratedText, ApiError> {
    let options = GenerateOptions {
        decoding: match settings.beams {
            1 => Decoding::Greedy,
            width => Decoding::Beams { width, options: BeamOptions::default() },
        },
        max_tokens: MaxTokens::New(settings.max_tokens),
        ..GenerateOptions::default()
    };
    let work = move |model: &BlipCaptioner| model.caption(&[picture], prompt.as_deref(), &options);
    let mut captions = captioner.run(work).await?.map_err(refused)?;
    captions.swap_remove(0).map_err(|detail| ApiError::new(Code::UnreadableMedia, detail))
}

fn refused(error: BlipError) -> ApiError {
    match error {
        BlipError::Prompt { .. } => ApiError::invalid("/prompt", error.to_string()),
        BlipError::Option { .. } => ApiError::invalid("", error.to_string()),
        error => ApiError::internal(error),
    }
}
