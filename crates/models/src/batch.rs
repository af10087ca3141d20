//! A batch of inputs through a model at once, with an answer for each.

use candle_core::{DType, Tensor};
use rayon::prelude::*;
use sensorium_domain::encoder::{EncodeInput, TowerOutput};

use crate::compute::norm::normalise;

/// Prepares every input, runs those that could be prepared together, and gives each its unit vector or what is wrong with it, in order.
/// `run` gets at least one and gives a row for each: count x dimensions.
pub(crate) fn encode<Prepared: Send>(
    inputs: &[EncodeInput],
    prepare: impl Fn(&EncodeInput) -> Result<Prepared, String> + Send + Sync,
    run: impl FnOnce(Vec<Prepared>) -> candle_core::Result<Tensor>,
) -> TowerOutput {
    let found = each(inputs, prepare, |prepared| rows(run(prepared))).map_err(|error| error.to_string())?;
    Ok(found.into_iter().map(|row| row.and_then(unit)).collect())
}

/// Prepares every input, runs those that could be prepared together, and gives each what came out or what is wrong with it, in order.
/// `run` gets at least one and gives something for each.
pub(crate) fn each<Input: Sync, Prepared: Send, Output, Fault>(
    inputs: &[Input],
    prepare: impl Fn(&Input) -> Result<Prepared, String> + Send + Sync,
    run: impl FnOnce(Vec<Prepared>) -> Result<Vec<Output>, Fault>,
) -> Result<Vec<Result<Output, String>>, Fault> {
    let prepared: Vec<Result<Prepared, String>> = inputs.par_iter().map(prepare).collect();
    let mut whole = Vec::with_capacity(inputs.len());
    let faults: Vec<Option<String>> = prepared
        .into_iter()
        .map(|prepared| match prepared {
            Ok(input) => {
                whole.push(input);
                None
            }
            Err(fault) => Some(fault),
        })
        .collect();
    let mut outputs = if whole.is_empty() { Vec::new() } else { run(whole)? }.into_iter();
    let answer = |fault| match fault {
        Some(fault) => Err(fault),
        None => outputs.next().ok_or_else(|| "nothing came out".to_owned()),
    };
    Ok(faults.into_iter().map(answer).collect())
}

fn rows(features: candle_core::Result<Tensor>) -> candle_core::Result<Vec<Vec<f32>>> {
    features?.to_dtype(DType::F32)?.to_vec2()
}

fn unit(mut vector: Vec<f32>) -> Result<Vec<f32>, String> {
    if vector.iter().any(|value| !value.is_finite()) {
        return Err("the model's numbers are too large for its precision".to_owned());
    }
    normalise(&mut vector);
    Ok(vector)
}
