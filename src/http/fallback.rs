//! Answers for addresses and methods that are not there.

use axum::http::{Method, Uri};

use crate::error::{ApiError, Code};

/// No such address.
pub async fn not_found(uri: Uri) -> ApiError {
    ApiError::new(Code::RouteNotFound, format!("there is nothing at {}; see /docs", uri.path()))
}

/// The address is there, the method is not.
pub async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::new(Code::MethodNotAllowed, format!("{} does not take {method}; see /docs", uri.path()))
}
