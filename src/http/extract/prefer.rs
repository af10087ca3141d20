//! `Prefer: wait=N` (RFC 7240).

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::startup::App;

/// How long the caller would like to wait for long work, at most `server.max_wait_s`; zero without the header. As RFC 7240
/// has it, a preference that is not understood is no error.
pub struct Wait(pub Duration);

impl FromRequestParts<App> for Wait {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let preferences = parts.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        let seconds = preferences
            .flat_map(|value| value.split(','))
            .filter_map(|preference| preference.trim().strip_prefix("wait="))
            .find_map(|seconds| seconds.trim_matches('"').parse::<u64>().ok())
            .unwrap_or(0);
        Ok(Self(Duration::from_secs(seconds.min(app.config.server.max_wait_s))))
    }
}
