//! Runs one batch and keeps its failures apart.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sensorium_domain::encoder::{EncodeError, EncodeInput, Tower};

/// What became of an input.
pub type Answer = Result<Vec<f32>, EncodeError>;

/// The answers to a batch, in order, and how often the model panicked.
#[derive(Debug)]
pub struct Executed {
    /// One per input.
    pub answers: Vec<Answer>,
    /// Panics that were caught.
    pub panics: u64,
}

/// Runs `inputs` through `tower`, whose weights stay in memory meanwhile. Where that fails as a whole the batch is halved, again and again, until
/// what fails is alone; where there are no weights, nothing is tried.
pub fn execute(tower: &dyn Tower, inputs: &[EncodeInput]) -> Executed {
    let mut executed = Executed { answers: Vec::with_capacity(inputs.len()), panics: 0 };
    let failure = match catch_unwind(AssertUnwindSafe(|| tower.hold())) {
        Ok(Ok(Some(held))) => {
            run(&***held, inputs, &mut executed);
            return executed;
        }
        Ok(Ok(None)) => {
            run(tower, inputs, &mut executed);
            return executed;
        }
        Ok(Err(failure)) => failure,
        Err(panic) => {
            executed.panics += 1;
            format!("it panicked: {}", words_of(&*panic))
        }
    };
    tracing::error!(modality = %tower.modality(), size = inputs.len(), failure, "a model is not in memory");
    executed.answers.extend(inputs.iter().map(|_| Err(EncodeError::Model(failure.clone()))));
    executed
}

fn run(tower: &dyn Tower, inputs: &[EncodeInput], executed: &mut Executed) {
    let failure = match catch_unwind(AssertUnwindSafe(|| tower.forward(inputs))) {
        Ok(Ok(outputs)) if outputs.len() == inputs.len() => {
            executed.answers.extend(outputs.into_iter().map(|output| check(output, tower.dimensions())));
            return;
        }
        Ok(Ok(outputs)) => format!("{} vectors came out for {} inputs", outputs.len(), inputs.len()),
        Ok(Err(failure)) => failure,
        Err(panic) => {
            executed.panics += 1;
            format!("it panicked: {}", words_of(&*panic))
        }
    };
    if inputs.len() > 1 {
        tracing::warn!(modality = %tower.modality(), size = inputs.len(), failure, "a batch failed and is halved");
        let (left, right) = inputs.split_at(inputs.len() / 2);
        run(tower, left, executed);
        run(tower, right, executed);
    } else {
        tracing::error!(modality = %tower.modality(), failure, "a model failed");
        executed.answers.extend(inputs.iter().map(|_| Err(EncodeError::Model(failure.clone()))));
    }
}

/// A vector of the right length, of numbers, scaled to length 1.
fn check(output: Result<Vec<f32>, String>, dimensions: usize) -> Answer {
    let mut vector = output.map_err(EncodeError::Input)?;
    if vector.len() != dimensions {
        return Err(EncodeError::Model(format!("the vector has {} numbers, not {dimensions}", vector.len())));
    }
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if !length.is_finite() || length == 0.0 {
        return Err(EncodeError::Model("the vector is not a direction (not a number, or all zeros)".to_owned()));
    }
    for value in &mut vector {
        *value = (f64::from(*value) / length) as f32;
    }
    Ok(vector)
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word")
}
