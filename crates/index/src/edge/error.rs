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
        OperationError::OutOfMemory { .. } | OperationError::Timeout { .. } | OperationError::Cancelled { .. } => {
            IndexError::Unavailable(text)
        }
        OperationError::InconsistentStorage { .. } => IndexError::Corrupt(text),
        _ => IndexError::Internal(text),
    }
}

/// Runs `work`, which may panic: the library asserts where files are damaged or a disk is full.
pub(super) fn catching<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_text(&*panic))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    // The library's errors carry backtraces.
    text.split(", backtrace: ").next().unwrap_or(text).to_owned()
}
