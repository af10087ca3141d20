//! GET /v1/parts/{id}/thumbnail: a small picture of a picture, or of a region of it.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sensorium_domain::{ContentKey, Modality, PartId};
use sensorium_media as media;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::blobs::content;
use crate::error::{ApiError, Code};
use crate::http::access::Read;
use crate::http::extract::{Id, Params};
use crate::http::problem::Problems;
use crate::http::v1::parts::content::{insert, matches_etag};
use crate::startup::App;

/// How large, and of what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Thumbnail {
    /// The longer side in pixels, 16 to 1024; 256 when left out.
    pub size: Option<u32>,
    /// Only this region: `x,y,width,height` in pixels of the picture.
    #[param(example = "0,0,512,512")]
    pub region: Option<String>,
}

/// A small picture of a picture part.
#[utoipa::path(get, path = "/v1/parts/{id}/thumbnail", operation_id = "get_part_thumbnail", tag = "parts",
    params(("id" = PartId, Path), Thumbnail),
    responses(
        (status = 200, description = "A JPEG, or a PNG where the picture has transparency", content_type = "image/jpeg", body = Vec<u8>),
        (status = 304, description = "Not changed"),
        Problems,
    ))]
pub async fn thumbnail(
    State(app): State<App>,
    caller: Read,
    Id(id): Id<PartId>,
    Params(asked): Params<Thumbnail>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let size = asked.size.unwrap_or(256);
    if !(16..=1024).contains(&size) {
        return Err(ApiError::invalid("/size", format!("{size} is not from 16 to 1024")));
    }
    let region = asked.region.as_deref().map(parse_region).transpose()?;
    let part = app.catalog.part(&caller.tenant, id).await?;
    if part.modality != Modality::Image {
        return Err(ApiError::new(Code::NotFound, format!("a {} part has no thumbnail", part.modality)));
    }
    let key = ContentKey::of(&[part.blob.as_bytes(), &size.to_be_bytes(), asked.region.unwrap_or_default().as_bytes()]);
    let etag = format!("\"{key}\"");
    if matches_etag(&headers, header::IF_NONE_MATCH, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let bytes = content(&app, &caller.tenant, &part).await?;
    let limits = app.config.ingest.limits.clone();
    let made = app.media_pool.run(move || make(&bytes, &limits, region, size)).await?;
    let thumbnail = made.map_err(|error| ApiError::media(&error, "", part.name.as_deref()))?;
    let mut response = thumbnail.bytes.into_response();
    insert(response.headers_mut(), header::CONTENT_TYPE, thumbnail.media_type.as_str());
    insert(response.headers_mut(), header::ETAG, &etag);
    insert(response.headers_mut(), header::CACHE_CONTROL, "private, max-age=86400");
    Ok(response)
}

fn make(
    bytes: &[u8],
    limits: &media::Limits,
    region: Option<media::PixelBox>,
    size: u32,
) -> Result<media::Thumbnail, media::MediaError> {
    let kind = media::sniff(bytes, None)?;
    let picture = media::decode_image(bytes, kind, limits)?;
    region.and_then(|region| picture.crop(region)).unwrap_or(picture).thumbnail(size)
}

fn parse_region(text: &str) -> Result<media::PixelBox, ApiError> {
    let numbers: Option<Vec<u32>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[x_px, y_px, width_px, height_px]) if width_px > 0 && height_px > 0 => {
            Ok(media::PixelBox { x_px, y_px, width_px, height_px })
        }
        _ => Err(ApiError::invalid("/region", "must be x,y,width,height in pixels")),
    }
}
