//! `config.json` of ModernBERT.

use serde::Deserialize;

use super::{activation, check_heads, unsupported};
use crate::error::ModelError;
use crate::layers::Activation;

/// A ModernBERT.
#[derive(Debug, Clone)]
pub struct ModernBertConfig {
    /// Between the two layers after attention.
    pub activation: Activation,
    /// Width of the token states.
    pub width: usize,
    /// Width between the two layers after attention.
    pub inner: usize,
    /// For each layer whether tokens see no farther than [`Self::reach`].
    pub local: Vec<bool>,
    /// How far tokens see in local layers, to either side.
    pub reach: usize,
    /// Heads of attention.
    pub heads: usize,
    /// Longest sequence.
    pub most_tokens: usize,
    /// Base of the rotary positions in local layers.
    pub local_theta: f32,
    /// Base of the rotary positions in the others.
    pub global_theta: f32,
    /// Tokens.
    pub vocabulary: usize,
    /// Added to variances.
    pub epsilon: f64,
    /// Whether normalisations have a bias.
    pub norm_bias: bool,
    /// Whether the layers of attention have one.
    pub attention_bias: bool,
    /// Whether the layers after attention have one.
    pub inner_bias: bool,
}

/// `config.json` of ModernBERT, in the form of its release and in the one with `rope_parameters` and `layer_types`.
#[derive(Deserialize)]
pub struct ModernBertFile {
    hidden_activation: Option<String>,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    vocab_size: usize,
    norm_eps: f64,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    local_attention: usize,
    global_attn_every_n_layers: Option<usize>,
    layer_types: Option<Vec<String>>,
    global_rope_theta: Option<f32>,
    local_rope_theta: Option<f32>,
    rope_scaling: Option<serde_json::Value>,
    rope_parameters: Option<RopeParameters>,
}

#[derive(Deserialize)]
struct RopeParameters {
    full_attention: Option<Rope>,
    sliding_attention: Option<Rope>,
}

#[derive(Deserialize)]
struct Rope {
    rope_type: Option<String>,
    rope_theta: Option<f32>,
}

impl ModernBertFile {
    pub fn checked(self) -> Result<ModernBertConfig, ModelError> {
        if let Some(scaling) = &self.rope_scaling {
            return Err(unsupported("rope_scaling", &scaling.to_string(), "null"));
        }
        check_heads(self.num_attention_heads, self.hidden_size)?;
        let (global, local) = self
            .rope_parameters
            .as_ref()
            .map_or((None, None), |both| (both.full_attention.as_ref(), both.sliding_attention.as_ref()));
        Ok(ModernBertConfig {
            activation: activation(self.hidden_activation.as_deref().unwrap_or("gelu"))?,
            local: self.local_layers()?,
            reach: self.local_attention / 2,
            local_theta: theta(local, self.local_rope_theta, 10_000.0)?,
            global_theta: theta(global, self.global_rope_theta, 160_000.0)?,
            width: self.hidden_size,
            inner: self.intermediate_size,
            heads: self.num_attention_heads,
            most_tokens: self.max_position_embeddings,
            vocabulary: self.vocab_size,
            epsilon: self.norm_eps,
            norm_bias: self.norm_bias,
            attention_bias: self.attention_bias,
            inner_bias: self.mlp_bias,
        })
    }

    fn local_layers(&self) -> Result<Vec<bool>, ModelError> {
        let Some(types) = &self.layer_types else {
            let every = self.global_attn_every_n_layers.unwrap_or(3).max(1);
            return Ok((0..self.num_hidden_layers).map(|layer| layer % every != 0).collect());
        };
        if types.len() != self.num_hidden_layers {
            let found = format!("{} for {} layers", types.len(), self.num_hidden_layers);
            return Err(unsupported("number of layer_types", &found, "one for each layer"));
        }
        let is_local = |kind: &String| match kind.as_str() {
            "full_attention" => Ok(false),
            "sliding_attention" => Ok(true),
            other => Err(unsupported("layer type", other, "full_attention, sliding_attention")),
        };
        types.iter().map(is_local).collect()
    }
}

fn theta(rope: Option<&Rope>, older: Option<f32>, default: f32) -> Result<f32, ModelError> {
    if let Some(kind) = rope.and_then(|rope| rope.rope_type.as_deref()).filter(|kind| *kind != "default") {
        return Err(unsupported("rope_type", kind, "default"));
    }
    Ok(rope.and_then(|rope| rope.rope_theta).or(older).unwrap_or(default))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modern(change: impl FnOnce(&mut serde_json::Value)) -> Result<ModernBertConfig, ModelError> {
        let mut file = serde_json::json!({
            "hidden_activation": "gelu", "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 4, "num_attention_heads": 2,
            "max_position_embeddings": 64, "vocab_size": 10, "norm_eps": 1e-5, "local_attention": 16,
            "global_attn_every_n_layers": 3, "global_rope_theta": 160_000.0, "local_rope_theta": 9000.0
        });
        change(&mut file);
        serde_json::from_value::<ModernBertFile>(file).unwrap().checked()
    }

    #[test]
    fn both_forms_of_a_modern_bert_are_the_same() {
        let older = modern(|_| ()).unwrap();
        assert_eq!((older.local, older.reach), (vec![false, true, true, false], 8));
        let newer = modern(|file| {
            file["layer_types"] = serde_json::json!(["sliding_attention", "full_attention", "sliding_attention", "full_attention"]);
            file["rope_parameters"] =
                serde_json::json!({"full_attention": {"rope_type": "default", "rope_theta": 5000.0}, "sliding_attention": {"rope_theta": 9000.0}});
        })
        .unwrap();
        assert_eq!(newer.local, [true, false, true, false]);
        assert_eq!(
            (older.local_theta, older.global_theta, newer.local_theta, newer.global_theta),
            (9000.0, 160_000.0, 9000.0, 5000.0)
        );
    }

    #[test]
    fn what_would_change_a_modern_bert_is_refused() {
        let refused = |change: fn(&mut serde_json::Value)| modern(change).unwrap_err().to_string();
        assert!(refused(|file| file["rope_scaling"] = serde_json::json!({"factor": 2.0})).contains("rope_scaling"));
        assert!(refused(|file| file["layer_types"] = serde_json::json!(["full_attention"])).contains("1 for 4 layers"));
        assert!(
            refused(|file| file["rope_parameters"] = serde_json::json!({"full_attention": {"rope_type": "yarn"}}))
                .contains("rope_type \"yarn\"")
        );
    }
}
