//! `/v1/collections`.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod patch;

use crate::config;
use crate::error::ApiError;

/// Checks a description's length.
fn check_description(description: Option<&str>, limits: &config::Ingest) -> Result<(), ApiError> {
    let chars = description.map_or(0, |text| text.chars().count());
    if chars > limits.max_title_chars {
        let detail = format!("{chars} characters; the limit is {} (ingest.max_title_chars)", limits.max_title_chars);
        return Err(ApiError::invalid("/description", detail));
    }
    Ok(())
}
