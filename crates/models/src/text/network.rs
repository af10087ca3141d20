//! The network behind a text model, by its architecture and device.

use candle_core::{DType, Device};

use super::batch::Batch;
use super::bert::Bert;
use super::config::NetworkConfig;
use super::modern_bert::ModernBert;
use super::pooling::Pooling;
use super::post_norm::PostNorm;
use super::tokens::Token;
use crate::error::ModelError;
use crate::scope::Scope;
use crate::weights::Weights;

/// Names below which models with a head keep their network.
const BELOW: [&str; 4] = ["bert", "roberta", "mpnet", "model"];
/// A tensor by which a network is found.
const WORDS: &str = "embeddings.word_embeddings.weight";
/// The same of ModernBERT.
const MODERN_WORDS: &str = "embeddings.tok_embeddings.weight";

/// Tokens in, a vector for each text out.
pub(super) enum Network {
    /// On the processor, without padding.
    Packed(Bert),
    /// Anywhere, in batches with padding.
    Padded(Padded),
}

/// A network on tensors.
pub(super) enum Padded {
    /// BERT, RoBERTa, XLM-R, MPNet.
    PostNorm(PostNorm),
    /// ModernBERT.
    ModernBert(ModernBert),
}

impl Network {
    /// Reads the network from `weights`.
    pub fn load(weights: &Weights, config: &NetworkConfig, dtype: DType, device: &Device) -> Result<Self, ModelError> {
        let root = Scope::root(weights, dtype, device);
        match (config, root.products()) {
            (NetworkConfig::PostNorm(config), Some(products)) if Bert::can_be(config) => {
                Bert::load(weights, &below(root, WORDS).name(""), config, products).map(Self::Packed)
            }
            _ => Padded::load(weights, config, dtype, device).map(Self::Padded),
        }
    }

    /// A vector for each text, in order; each text has at least one token, and none that is beyond the vocabulary.
    pub fn pooled(&self, sequences: &[Vec<Token>], pooling: Pooling) -> candle_core::Result<Vec<Vec<f32>>> {
        match self {
            Self::Packed(bert) => Ok(bert.pooled(sequences, pooling)),
            Self::Padded(network) => network.pooled(sequences, pooling),
        }
    }
}

impl Padded {
    fn load(weights: &Weights, config: &NetworkConfig, dtype: DType, device: &Device) -> Result<Self, ModelError> {
        let root = Scope::root(weights, dtype, device);
        match config {
            NetworkConfig::PostNorm(config) => PostNorm::load(&below(root, WORDS), config).map(Self::PostNorm),
            NetworkConfig::ModernBert(config) => {
                ModernBert::load(&below(root, MODERN_WORDS), config).map(Self::ModernBert)
            }
        }
    }

    fn pooled(&self, sequences: &[Vec<Token>], pooling: Pooling) -> candle_core::Result<Vec<Vec<f32>>> {
        let mut vectors = vec![Vec::new(); sequences.len()];
        for (places, batch) in Batch::of_like_length(sequences) {
            let states = match self {
                Self::PostNorm(network) => network.forward(&batch)?,
                Self::ModernBert(network) => network.forward(&batch)?,
            };
            let pooled = pooling.apply_padded(&states, batch.lengths())?.to_vec2()?;
            for (place, vector) in places.into_iter().zip(pooled) {
                vectors[place] = vector;
            }
        }
        Ok(vectors)
    }
}

/// Where the network is: models with a head keep it below a name. `probe` is a tensor that it has.
fn below<'a>(root: Scope<'a>, probe: &str) -> Scope<'a> {
    let found = BELOW.iter().map(|name| root.at(name)).find(|scope| scope.has(probe));
    found.unwrap_or(root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use crate::text::tiny;

    #[test]
    fn the_network_without_padding_is_the_one_on_tensors() {
        let folder = tempfile::tempdir().unwrap();
        tiny::write(folder.path(), 3).unwrap();
        let source = Source::Folder(folder.path().to_owned());
        let config = NetworkConfig::load(&source).unwrap();
        let weights = Weights::of(&source).unwrap();
        let packed = Network::load(&weights, &config, DType::F32, &Device::Cpu).unwrap();
        let padded = Padded::load(&weights, &config, DType::F32, &Device::Cpu).unwrap();
        assert!(matches!(packed, Network::Packed(_)));
        let sequence = |length: u32| {
            (0..length).map(|place| Token { id: 4 + place * 7 % 60, segment: u8::from(place > 5) }).collect()
        };
        let sequences: Vec<Vec<Token>> = [9, 3, 8, 40].map(sequence).to_vec();
        for pooling in [Pooling::Mean, Pooling::First] {
            let (one, other) =
                (packed.pooled(&sequences, pooling).unwrap(), padded.pooled(&sequences, pooling).unwrap());
            let farthest =
                one.iter().flatten().zip(other.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(farthest < 1e-5, "{pooling:?}: {farthest}");
            assert!(one[0] != one[2]);
        }
    }
}
