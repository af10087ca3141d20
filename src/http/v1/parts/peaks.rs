//! GET /v1/parts/{id}/peaks: the waveform of a sound.

use axum::Json;
use axum::extract::State;
use sensorium_domain::{Modality, PartId};
use sensorium_media as media;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::blobs::content;
use crate::error::{ApiError, Code};
use crate::http::access::Read;
use crate::http::extract::{Id, Params};
use crate::http::problem::Problems;
use crate::startup::App;

/// How fine.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AskPeaks {
    /// Columns of the picture, 1 to 4000; 400 when left out.
    pub buckets: Option<usize>,
}

/// The least and greatest sample of equal stretches of a sound.
#[derive(Debug, Serialize, ToSchema)]
pub struct Peaks {
    /// Length of the sound.
    pub duration_ms: u64,
    /// Least and greatest sample, from -1 to 1, in order.
    pub peaks: Vec<(f32, f32)>,
}

/// The waveform of a sound part.
#[utoipa::path(get, path = "/v1/parts/{id}/peaks", operation_id = "get_part_peaks", tag = "parts",
    params(("id" = PartId, Path), AskPeaks), responses((status = 200, body = Peaks), Problems))]
pub async fn peaks(
    State(app): State<App>,
    caller: Read,
    Id(id): Id<PartId>,
    Params(asked): Params<AskPeaks>,
) -> Result<Json<Peaks>, ApiError> {
    let buckets = asked.buckets.unwrap_or(400);
    if !(1..=4000).contains(&buckets) {
        return Err(ApiError::invalid("/buckets", format!("{buckets} is not from 1 to 4000")));
    }
    let part = app.catalog.part(&caller.tenant, id).await?;
    if part.modality != Modality::Audio {
        return Err(ApiError::new(Code::NotFound, format!("a {} part has no waveform", part.modality)));
    }
    let bytes = content(&app, &caller.tenant, &part).await?;
    let limits = app.config.ingest.limits.clone();
    let made = app.media_pool.run(move || {
        let sound = media::decode_audio(&bytes, media::sniff(&bytes, None)?, &limits)?;
        Ok::<_, media::MediaError>(Peaks { duration_ms: sound.duration_ms(), peaks: media::peaks(&sound, buckets) })
    });
    let peaks = made.await?.map_err(|error| ApiError::media(&error, "", part.name.as_deref()))?;
    Ok(Json(peaks))
}
