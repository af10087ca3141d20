//! What an index is built for: another profile must never read it by mistake.

use std::collections::{BTreeMap, BTreeSet};

use sensorium_domain::index::{IndexedSpace, Point};
use sensorium_domain::{IndexError, Modality, SpaceName};
use serde::{Deserialize, Serialize};

use crate::options::WordsOptions;
use crate::words::WORDS;

/// 2: stored vectors are apart by modality.
const VERSION: u32 = 2;

/// Spaces with their dimensions, and the rules for words. Kept with the index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shape {
    version: u32,
    spaces: BTreeMap<String, SpaceShape>,
    words: WordsOptions,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SpaceShape {
    dimension: usize,
    modalities: BTreeSet<Modality>,
}

/// The name under which vectors of a space that were made from a modality are stored.
///
/// One space has a graph for each modality: a leg asks for one, and in a graph of all it would have to find its way through the
/// others, which lie closer to each other than to it. (The index finds nothing at all in some of such searches.)
pub(crate) fn stored_name(space: &str, modality: Modality) -> String {
    format!("{space}.{modality}")
}

impl Shape {
    pub(crate) fn new(spaces: &[IndexedSpace], words: &WordsOptions) -> Result<Self, IndexError> {
        let mut by_name = BTreeMap::new();
        for IndexedSpace { name, dimension, modalities } in spaces {
            if *dimension == 0 || modalities.is_empty() || name.as_str() == WORDS {
                return Err(IndexError::Rejected(format!(
                    "space \"{name}\" of dimension {dimension} for {} modalities cannot be indexed",
                    modalities.len()
                )));
            }
            let space = SpaceShape { dimension: *dimension, modalities: modalities.iter().copied().collect() };
            if by_name.insert(name.to_string(), space).is_some() {
                return Err(IndexError::Rejected(format!("space \"{name}\" is given twice")));
            }
        }
        Ok(Self { version: VERSION, spaces: by_name, words: words.clone() })
    }

    /// Reads what is kept with an index.
    pub(crate) fn read(json: &[u8]) -> Result<Self, IndexError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let unreadable = |error| IndexError::Corrupt(format!("its shape cannot be read: {error}"));
        let Versioned { version } = serde_json::from_slice(json).map_err(unreadable)?;
        if version != VERSION {
            return Err(IndexError::Outdated(format!("its format is {version}, and {VERSION} is read here")));
        }
        serde_json::from_slice(json).map_err(unreadable)
    }

    /// The names of stored vectors with their dimensions.
    pub(crate) fn stored(&self) -> impl Iterator<Item = (String, usize)> {
        self.spaces.iter().flat_map(|(name, space)| {
            space.modalities.iter().map(|modality| (stored_name(name, *modality), space.dimension))
        })
    }

    /// The names under which vectors of a space are stored, by modality.
    pub(crate) fn stored_of(&self, space: &SpaceName) -> Result<Vec<(Modality, String)>, IndexError> {
        let modalities = self.space(space)?.modalities.iter();
        Ok(modalities.map(|modality| (*modality, stored_name(space.as_str(), *modality))).collect())
    }

    /// The names under which vectors of a space are stored.
    pub(crate) fn stored_names(&self, space: &SpaceName) -> Result<Vec<String>, IndexError> {
        Ok(self.stored_of(space)?.into_iter().map(|(_, name)| name).collect())
    }

    fn space(&self, space: &SpaceName) -> Result<&SpaceShape, IndexError> {
        self.spaces.get(space.as_str()).ok_or_else(|| IndexError::Rejected(format!("there is no space \"{space}\"")))
    }

    /// Compares with what is kept with an index.
    pub(crate) fn check(&self, found: &Self) -> Result<(), IndexError> {
        if found == self {
            return Ok(());
        }
        Err(IndexError::Mismatch(format!("it was built for {found}, not for {self}")))
    }

    /// Checks every vector of a point that is to be written.
    pub(crate) fn check_point(&self, point: &Point) -> Result<(), IndexError> {
        let modality = point.payload.modality;
        point.dense.iter().try_for_each(|(space, vector)| {
            if !self.space(space)?.modalities.contains(&modality) {
                return Err(IndexError::Rejected(format!("space \"{space}\" has no vectors of modality {modality}")));
            }
            self.check_vector(space, vector)
        })
    }

    /// A vector must be of its space's length and have a direction.
    pub(crate) fn check_vector(&self, space: &SpaceName, vector: &[f32]) -> Result<(), IndexError> {
        let wanted = self.space(space)?.dimension;
        if vector.len() != wanted {
            return Err(IndexError::Rejected(format!(
                "a vector of space \"{space}\" has {wanted} numbers, not {}",
                vector.len()
            )));
        }
        let square: f32 = vector.iter().map(|number| number * number).sum();
        if !square.is_normal() {
            return Err(IndexError::Rejected(format!(
                "a vector of space \"{space}\" has no direction: it is zero or not finite"
            )));
        }
        Ok(())
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "format {} with spaces", self.version)?;
        for (name, space) in &self.spaces {
            let modalities: Vec<&str> = space.modalities.iter().map(|modality| modality.as_str()).collect();
            write!(f, " {name}({} of {})", space.dimension, modalities.join(", "))?;
        }
        let words = &self.words;
        write!(f, " and words {}(k1 {}, b {}, average {})", words.language, words.k1, words.b, words.average_words)
    }
}
