//! The client's errors as errors of the port.

use qdrant_client::QdrantError;
use sensorium_domain::IndexError;
use tonic::{Code, Status};

pub(super) fn from_client(error: QdrantError) -> IndexError {
    match error {
        QdrantError::ResponseError { status } | QdrantError::ResourceExhaustedError { status, .. } => {
            from_status(&status)
        }
        QdrantError::InvalidUri(error) => IndexError::Rejected(format!("the server's address: {error}")),
        error => IndexError::Internal(error.to_string()),
    }
}

/// What can be otherwise at the next attempt is "unavailable": the server is away, too slow or too busy, or has a failure of its own,
/// as a cluster has while a shard's copies are being found. The client itself reports a failed connection as an internal error.
fn from_status(status: &Status) -> IndexError {
    let text = format!("{}: {}", status.code(), status.message());
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange | Code::Unimplemented | Code::AlreadyExists => {
            IndexError::Rejected(text)
        }
        Code::Unauthenticated | Code::PermissionDenied => {
            IndexError::Rejected(format!("the server does not take the API key ({text})"))
        }
        Code::NotFound | Code::DataLoss => IndexError::Corrupt(text),
        _ => IndexError::Unavailable(text),
    }
}

/// Whether the server says that something is not there.
pub(super) fn is_not_found(error: &QdrantError) -> bool {
    matches!(error, QdrantError::ResponseError { status } if status.code() == Code::NotFound)
}
