//! An id or a name in the path.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::error::{ApiError, Code};

/// The one path parameter of a route. A text that cannot be such an id names nothing: 404.
pub struct Id<T>(pub T);

impl<T, S> FromRequestParts<S> for Id<T>
where
    T: FromStr<Err: std::fmt::Display> + Send,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::new(Code::NotFound, "the address holds no readable id"))?;
        text.parse().map(Self).map_err(|error: T::Err| ApiError::new(Code::NotFound, error.to_string()))
    }
}
