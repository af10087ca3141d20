//! The models that a deployment runs, and what their numbers mean.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sensorium_domain::encoder::{SpaceInfo, TowerInfo};
use sensorium_domain::{EncodeError, EncodeInput, Encoder, Modality, ModelName, Priority, SpaceName};
use sensorium_models::{Manifest, ModelError, Source, TextEncoder};

use crate::config::{self, Config};
use crate::ingest::CountTokens;

/// The running profile.
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Its towers behind their queues.
    pub encoder: Arc<dyn Encoder>,
    text: Arc<TextEncoder>,
}

/// Why the models could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// A model.
    #[error("{0}")]
    Model(#[from] ModelError),
    /// Files that are not where they should be.
    #[error("{0}")]
    Missing(String),
}

struct Temporary(Vec<SpaceInfo>, Arc<TextEncoder>);

#[async_trait]
impl Encoder for Temporary {
    fn spaces(&self) -> &[SpaceInfo] {
        &self.0
    }

    async fn encode(&self, _: &SpaceName, input: EncodeInput, _: Priority) -> Result<Vec<f32>, EncodeError> {
        let EncodeInput::Text(text) = input else { return Err(EncodeError::Stopped) };
        self.1.encode(&[&text]).map(|mut v| v.swap_remove(0)).map_err(EncodeError::Model)
    }
}

/// Loads the configured profile.
pub async fn load(config: &Config) -> Result<Profile, ProfileError> {
    let folder = text_model_dir(&config.profile);
    let source = Source::Folder(folder);
    Manifest::all_minilm_l6_v2().verify(&source)?;
    let text = Arc::new(TextEncoder::load(&source)?);
    let name = |text: &str| text.parse::<SpaceName>().map_err(|error| ProfileError::Missing(error.to_string()));
    let spaces = vec![SpaceInfo {
        name: name("shared")?,
        dimensions: 384,
        towers: vec![TowerInfo { modality: Modality::Text, model: ModelName("all-MiniLM-L6-v2@53aa5117".to_owned()) }],
    }];
    Ok(Profile { name: "starter".to_owned(), encoder: Arc::new(Temporary(spaces, text.clone())), text })
}

fn text_model_dir(settings: &config::Profile) -> PathBuf {
    if settings.text_model_dir.as_os_str().is_empty() {
        config::cache_dir().join("models/all-MiniLM-L6-v2")
    } else {
        settings.text_model_dir.clone()
    }
}

impl Profile {
    /// Counts tokens as the text tower does.
    pub fn token_counter(&self) -> Arc<CountTokens> {
        let text = self.text.clone();
        Arc::new(move |words| text.count_tokens(words))
    }

    /// A query's vector for one target modality.
    pub fn query_vector(&self, _asked_by: Modality, _target: Modality, vector: &[f32]) -> Vec<f32> {
        vector.to_vec()
    }

    /// The calibrated confidence of a cosine, from 0 to 1.
    pub fn confidence(&self, _asked_by: Modality, _target: Modality, cosine: f32) -> f32 {
        f32::midpoint(cosine, 1.0)
    }

    /// How likely an input is something that the profile knows, from 0 to 1.
    pub fn in_scope(&self, _input: &EncodeInput) -> f32 {
        1.0
    }

    /// What to say of an input that it does not know.
    pub fn scope_note(&self) -> String {
        "this profile knows drawings, icons and instruments; use `standard` for photographs".to_owned()
    }

    /// The temperature of zero-shot classification.
    pub fn temperature(&self) -> f32 {
        0.05
    }

    /// The entries of the vocabulary nearest to a picture or sound, with cosines; `None` where there is no vocabulary.
    pub fn nearest_labels(&self, _modality: Modality, _vector: &[f32], _most: usize) -> Option<Vec<(String, f32)>> {
        None
    }

    /// The licence of a model.
    pub fn licence(&self, _model: &ModelName) -> String {
        "Apache-2.0".to_owned()
    }

    /// What users should know.
    pub fn notes(&self) -> Vec<String> {
        vec!["profile starter: good at text, drawings, icons and instruments; photographs need the profile standard".to_owned()]
    }
}
