//! What an index is built for: another profile must never read it by mistake.

use std::collections::BTreeMap;

use sensorium_domain::index::Point;
use sensorium_domain::{IndexError, SpaceName};
use serde::{Deserialize, Serialize};

use crate::options::WordsOptions;
use crate::words::WORDS;

const VERSION: u32 = 1;

/// Spaces with their dimensions, and the rules for words. Kept with the index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shape {
    version: u32,
    spaces: BTreeMap<String, usize>,
    words: WordsOptions,
}

impl Shape {
    pub(crate) fn new(spaces: &[(SpaceName, usize)], words: &WordsOptions) -> Result<Self, IndexError> {
        let mut by_name = BTreeMap::new();
        for (name, dimension) in spaces {
            if *dimension == 0 || name.as_str() == WORDS {
                return Err(IndexError::Rejected(format!(
                    "space \"{name}\" of dimension {dimension} cannot be indexed"
                )));
            }
            if by_name.insert(name.to_string(), *dimension).is_some() {
                return Err(IndexError::Rejected(format!("space \"{name}\" is given twice")));
            }
        }
        Ok(Self { version: VERSION, spaces: by_name, words: words.clone() })
    }

    /// Spaces and their dimensions, by name.
    pub(crate) fn spaces(&self) -> impl Iterator<Item = (&str, usize)> {
        self.spaces.iter().map(|(name, dimension)| (name.as_str(), *dimension))
    }

    /// The dimension of a space.
    pub(crate) fn dimension(&self, space: &SpaceName) -> Result<usize, IndexError> {
        self.spaces
            .get(space.as_str())
            .copied()
            .ok_or_else(|| IndexError::Rejected(format!("there is no space \"{space}\"")))
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
        point.dense.iter().try_for_each(|(space, vector)| self.check_vector(space, vector))
    }

    /// A vector must be of its space's length and have a direction.
    pub(crate) fn check_vector(&self, space: &SpaceName, vector: &[f32]) -> Result<(), IndexError> {
        let wanted = self.dimension(space)?;
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
        for (name, dimension) in &self.spaces {
            write!(f, " {name}({dimension})")?;
        }
        let words = &self.words;
        write!(f, " and words {}(k1 {}, b {}, average {})", words.language, words.k1, words.b, words.average_words)
    }
}
