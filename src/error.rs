//! What can go wrong towards a caller: one table from code to status and title. Internals go to the log only.

use sensorium_domain::{CatalogError, EncodeError, IndexError};
use sensorium_media::MediaError;
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// The kinds of problem; each has one status and one title.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// For programs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// For people.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// The body is not JSON, or not multipart.
    Malformed = "malformed", 400, "Malformed request";
    /// No or no valid credentials.
    Unauthorized = "unauthorized", 401, "Credentials needed";
    /// The credentials do not allow it.
    Forbidden = "forbidden", 403, "Not allowed";
    /// No such thing, or it is another tenant's.
    NotFound = "not_found", 404, "Not found";
    /// No such address.
    RouteNotFound = "route_not_found", 404, "No such address";
    /// The address does not take this method.
    MethodNotAllowed = "method_not_allowed", 405, "Method not allowed";
    /// It clashes with what is there.
    Conflict = "conflict", 409, "Conflict";
    /// An equal idempotency key is being worked on.
    InFlight = "request_in_flight", 409, "The first request with this key is still running";
    /// The page token belongs to another query or generation.
    CursorExpired = "cursor_expired", 410, "The page token has expired";
    /// The body or a part has too many bytes.
    TooLarge = "too_large", 413, "Too large";
    /// The file is of a type that is not taken.
    UnsupportedMedia = "unsupported_media", 415, "Unsupported media";
    /// The request's own content type is not taken.
    UnsupportedContentType = "unsupported_content_type", 415, "Unsupported content type";
    /// The requested bytes are not in the content.
    RangeNotSatisfiable = "range_not_satisfiable", 416, "Range not satisfiable";
    /// Well-formed, but with wrong values.
    Invalid = "invalid", 422, "Invalid request";
    /// The file cannot be read.
    UnreadableMedia = "unreadable_media", 422, "Unreadable media";
    /// The idempotency key was used for another request.
    IdempotencyMismatch = "idempotency_mismatch", 422, "Idempotency key used for another request";
    /// The running profile has no model for it.
    NotInProfile = "not_in_profile", 422, "Not in this profile";
    /// The tenant sends more requests than it may.
    RateLimited = "rate_limited", 429, "Too many requests";
    /// The tenant keeps as much as it may.
    OverQuota = "over_quota", 429, "Over quota";
    /// Too much at once.
    Overloaded = "overloaded", 429, "Overloaded";
    /// A fault of ours.
    Internal = "internal", 500, "Internal error";
    /// Something that we depend on is down.
    Unavailable = "unavailable", 503, "Temporarily unavailable";
    /// It took too long.
    Timeout = "timeout", 503, "Took too long";
}

/// One fault of a request and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the request.
    #[schema(example = "/inputs/0/weight")]
    pub pointer: String,
    /// What is wrong, with value and limit.
    pub detail: String,
}

/// A problem on its way to the caller. No HTTP types: use cases make it, `http::problem` writes it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {detail}", .code.as_str())]
pub struct ApiError {
    /// Its kind.
    pub code: Code,
    /// A finer code for programs, where there is one (`image_too_large`).
    pub fine: Option<String>,
    /// What happened, the value and the limit, what to do.
    pub detail: String,
    /// Each fault by place.
    pub errors: Vec<FieldError>,
    /// When to try again.
    pub retry_after_ms: Option<u64>,
}

impl ApiError {
    /// A problem of a kind with its explanation.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, fine: None, detail: detail.into(), errors: Vec::new(), retry_after_ms: None }
    }

    /// One wrong field.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::new(Code::Invalid, detail.clone()).at(pointer, detail)
    }

    /// All wrong fields at once; `None` when there are none.
    pub fn from_faults(errors: Vec<FieldError>) -> Option<Self> {
        let first = errors.first()?;
        let detail = match errors.len() {
            1 => first.detail.clone(),
            n => format!("{n} fields are wrong; the first: {}", first.detail),
        };
        Some(Self { errors, ..Self::new(Code::Invalid, detail) })
    }

    /// A fault of ours: the cause goes to the log, not to the caller.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(Code::Internal, "something went wrong on our side; the log has it under this request id")
    }

    /// Names the place.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }

    /// A problem of a file, named by its place in the request.
    pub fn media(error: &MediaError, pointer: &str, name: Option<&str>) -> Self {
        let code = match error {
            MediaError::TooLarge { .. } => Code::TooLarge,
            MediaError::Unknown { .. } | MediaError::Unsupported { .. } | MediaError::WrongKind { .. } => {
                Code::UnsupportedMedia
            }
            _ => Code::UnreadableMedia,
        };
        let shown = name.map_or_else(|| error.to_string(), |name| format!("\"{name}\": {error}"));
        Self { fine: Some(error.code().to_owned()), ..Self::new(code, shown) }.at(pointer, error.to_string())
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::NotFound(what) => Self::new(Code::NotFound, format!("there is no such {what}")),
            CatalogError::Conflict(detail) => Self::new(Code::Conflict, detail),
            CatalogError::Invalid(detail) => Self::new(Code::Invalid, detail),
            CatalogError::OverQuota(_) => Self::new(Code::OverQuota, error.to_string()),
            CatalogError::LeaseLost => Self::internal("lease lost outside a job"),
            CatalogError::Unavailable(cause) => unavailable("the catalog", &cause),
            CatalogError::Internal(cause) => Self::internal(format!("catalog: {cause}")),
        }
    }
}

impl From<IndexError> for ApiError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Unavailable(cause) => unavailable("the index", &cause),
            error => Self::internal(format!("index: {error}")),
        }
    }
}

impl From<EncodeError> for ApiError {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::Overloaded { retry_after_ms } => {
                Self::new(Code::Overloaded, "the encoder has too much to do").retry_after(retry_after_ms)
            }
            EncodeError::Unsupported { .. } => Self::new(Code::NotInProfile, error.to_string()),
            EncodeError::Input(detail) => Self::new(Code::UnreadableMedia, detail),
            EncodeError::Model(cause) => Self::internal(format!("model: {cause}")),
            EncodeError::Stopped => Self::new(Code::Unavailable, "the server is shutting down").retry_after(2_000),
        }
    }
}

fn unavailable(what: &str, cause: &str) -> ApiError {
    tracing::warn!(what, cause, "dependency unavailable");
    ApiError::new(Code::Unavailable, format!("{what} cannot be reached at the moment")).retry_after(2_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_are_errors() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }
}
