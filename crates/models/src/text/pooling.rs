//! How the states of a text's tokens become one vector, as the `Pooling` module of sentence-transformers has it.

use candle_core::{DType, Device, Result, Tensor};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::config::unsupported;
use crate::error::ModelError;
use crate::source::Source;

const SUPPORTED: &str = "one of cls, mean, max, mean_sqrt_len_tokens, weightedmean, lasttoken";

/// How token states become a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over all tokens.
    Mean,
    /// The first token.
    First,
    /// The largest value of each column.
    Max,
    /// The sum over the root of the number of tokens.
    MeanRootLength,
    /// The mean, each token weighing as much as its place, from 1.
    WeightedMean,
    /// The last token.
    Last,
}

/// The switches of the older form, and what the newer one calls them.
const SWITCHES: [(&str, &str); 6] = [
    ("pooling_mode_cls_token", "cls"),
    ("pooling_mode_max_tokens", "max"),
    ("pooling_mode_mean_tokens", "mean"),
    ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
    ("pooling_mode_weightedmean_tokens", "weightedmean"),
    ("pooling_mode_lasttoken", "lasttoken"),
];

/// `config.json` of a `Pooling` module: the older form has a switch for each way, the newer one names it.
#[derive(Deserialize)]
struct PoolingFile {
    pooling_mode: Option<OneOrMore>,
    include_prompt: Option<bool>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Pooling {
    /// Reads a module's `config.json`, which must name exactly one way.
    pub fn load(source: &Source, name: &str) -> std::result::Result<Self, ModelError> {
        let file: PoolingFile = source.json(name)?;
        if file.include_prompt == Some(false) {
            return Err(unsupported("include_prompt", "false", "true"));
        }
        let is_on = |switch: &str| file.others.get(switch).and_then(Value::as_bool) == Some(true);
        let switched_on =
            SWITCHES.iter().filter(|(switch, _)| is_on(switch)).map(|(_, way)| (*way).to_owned()).collect();
        let ways = match file.pooling_mode {
            Some(OneOrMore::One(way)) => vec![way],
            Some(OneOrMore::More(ways)) => ways,
            None => switched_on,
        };
        match ways.as_slice() {
            [way] => Self::named(way),
            [] => Err(unsupported("pooling", &format!("none in {name}"), SUPPORTED)),
            _ => Err(unsupported("pooling", &format!("{} in {name}", ways.join(" and ")), SUPPORTED)),
        }
    }

    fn named(way: &str) -> std::result::Result<Self, ModelError> {
        Ok(match way {
            "cls" => Self::First,
            "mean" => Self::Mean,
            "max" => Self::Max,
            "mean_sqrt_len_tokens" => Self::MeanRootLength,
            "weightedmean" => Self::WeightedMean,
            "lasttoken" => Self::Last,
            other => return Err(unsupported("pooling", other, SUPPORTED)),
        })
    }

    /// What each of `length` tokens weighs; none where it is no weighted sum.
    fn weights(self, length: usize) -> Option<Vec<f32>> {
        let only = |kept: usize| (0..length).map(|token| if token == kept { 1.0 } else { 0.0 }).collect();
        let count = length as f32;
        match self {
            Self::Mean => Some(vec![1.0 / count; length]),
            Self::MeanRootLength => Some(vec![1.0 / count.sqrt(); length]),
            Self::WeightedMean => {
                let total = count * (count + 1.0) / 2.0;
                Some((1..=length).map(|place| place as f32 / total).collect())
            }
            Self::First => Some(only(0)),
            Self::Last => Some(only(length.saturating_sub(1))),
            Self::Max => None,
        }
    }

    /// `states`: the tokens of one text x `width`, at least one token; `width` numbers come out.
    pub fn apply(self, states: &[f32], width: usize) -> Vec<f32> {
        let Some(weights) = self.weights(states.len() / width) else {
            let mut largest = states[..width].to_vec();
            for state in states.chunks_exact(width).skip(1) {
                for (largest, value) in largest.iter_mut().zip(state) {
                    *largest = largest.max(*value);
                }
            }
            return largest;
        };
        let mut sum = vec![0.0_f32; width];
        for (state, weight) in states.chunks_exact(width).zip(weights).filter(|(_, weight)| *weight != 0.0) {
            for (sum, value) in sum.iter_mut().zip(state) {
                *sum += weight * value;
            }
        }
        sum
    }

    /// `states`: texts x tokens x width, of which the first `lengths` tokens count; texts x width come out, in f32.
    pub fn apply_padded(self, states: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        let (texts, longest, _) = states.dims3()?;
        if self == Self::First {
            return states.narrow(1, 0, 1)?.squeeze(1)?.to_dtype(DType::F32);
        }
        let states = states.to_dtype(DType::F32)?;
        let padded = |row: Vec<f32>, rest: f32| row.into_iter().chain(std::iter::repeat(rest)).take(longest);
        let rows: Option<Vec<f32>> = lengths
            .iter()
            .map(|length| Some(padded(self.weights(*length)?, 0.0)))
            .collect::<Option<Vec<_>>>()
            .map(|rows| rows.into_iter().flatten().collect());
        if let Some(rows) = rows {
            return tensor(rows, (texts, 1, longest), states.device())?.matmul(&states)?.squeeze(1);
        }
        let outside = lengths.iter().flat_map(|length| padded(vec![0.0; *length], f32::NEG_INFINITY)).collect();
        states.broadcast_add(&tensor(outside, (texts, longest, 1), states.device())?)?.max(1)
    }
}

fn tensor(numbers: Vec<f32>, shape: (usize, usize, usize), device: &Device) -> Result<Tensor> {
    Tensor::from_vec(numbers, shape, device)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(Pooling, [f32; 2]); 6] = [
        (Pooling::Mean, [2.0, 1.0]),
        (Pooling::First, [1.0, 5.0]),
        (Pooling::Max, [3.0, 5.0]),
        (Pooling::MeanRootLength, [3.464_101_6, 1.732_050_8]),
        (Pooling::WeightedMean, [2.333_333_3, -0.333_333_3]),
        (Pooling::Last, [3.0, -3.0]),
    ];

    #[test]
    fn packed_and_padded_states_give_what_the_definition_says() {
        let states = [1.0, 5.0, 2.0, 1.0, 3.0, -3.0];
        let padded: Vec<f32> = [1.0, 5.0, 9.0, 9.0, 9.0, 9.0].into_iter().chain(states).collect();
        let padded = Tensor::from_vec(padded, (2, 3, 2), &Device::Cpu).unwrap();
        for (pooling, expected) in ALL {
            let close = |got: &[f32]| got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
            let packed = pooling.apply(&states, 2);
            assert!(close(&packed), "{pooling:?}: {packed:?}");
            let both = pooling.apply_padded(&padded, &[1, 3]).unwrap().to_vec2::<f32>().unwrap();
            assert_eq!(both[0], [1.0, 5.0], "{pooling:?}");
            assert!(close(&both[1]), "{pooling:?}: {:?}", both[1]);
        }
    }
}
