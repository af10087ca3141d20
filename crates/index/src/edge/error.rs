//! The library's errors and panics as errors of the port.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use qdrant_edge::OperationError;
use sensorium_domain::IndexError;

pub(super) fn from_edge(error: &OperationError) -> IndexError {
    let text = error.to_string();
    match error {
        OperationError::WrongVectorDimension { .. }
        | OperationError::VectorNameNotExists { .. }
        | OperationError::TypeError { .. }
        | OperationError::ValidationError { .. }
        | OperationError::WrongSparse
        | OperationError::WrongMulti => IndexError::Rejected(text),
        OperationError::OutOfMemory { .. }
        | OperationError::Timeout { .. }
        | OperationError::Cancelled { .. } => IndexError::Unavailable(text),
        OperationError::InconsistentStorage { .. } => IndexError::Corrupt(text),
        _ => IndexError::Internal(text),
    }
}

/// Runs `work`, which may panic: the library asserts where files are damaged or a disk is full.
pub(super) fn catching<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_text(&*panic))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
