//! The vocabulary: what tokens spell, which ones are commands, and text to tokens for prompts.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

use super::config::{Config, GenerationConfig};
use crate::error::ModelError;
use crate::source::Source;
use crate::text::Tokens;

const FILE: &str = "tokenizer.json";

/// The tokens of a checkpoint.
pub(super) struct Vocabulary {
    size: usize,
    /// What the tokens of text spell.
    spelled: HashMap<u32, Vec<u8>>,
    words: Tokens,
    pub commands: Commands,
}

/// Tokens that are not text.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    /// Ends a text. All text tokens are below it.
    pub end: u32,
    pub start: u32,
    pub previous: u32,
    /// Its probability at the start is that of there being no speech.
    pub no_speech: u32,
    pub no_timestamps: u32,
    pub tasks: Option<Tasks>,
    /// By code. Empty for models of English only.
    pub languages: BTreeMap<String, u32>,
}

/// The commands of models of many languages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tasks {
    pub transcribe: u32,
    pub translate: u32,
}

impl Commands {
    /// The token of time zero; later ones follow it, one for every two hundredths of a second.
    pub fn first_timestamp(&self) -> u32 {
        self.no_timestamps + 1
    }
}

/// `tokenizer.json`, as far as it is read here.
#[derive(Deserialize)]
struct File {
    model: Model,
    #[serde(default)]
    added_tokens: Vec<Added>,
    #[serde(default)]
    decoder: Value,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    vocab: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
}

impl Vocabulary {
    pub fn load(source: &Source, config: &Config, generation: &GenerationConfig) -> Result<Self, ModelError> {
        let path = source.file(FILE)?;
        let file: File = source.json(FILE)?;
        if let Some(kind) = file.model.kind.filter(|kind| kind != "BPE") {
            return Err(ModelError::Unsupported { what: "tokenizer model", found: kind, supported: "BPE" });
        }
        let decoder = file.decoder["type"].as_str().unwrap_or("none");
        if decoder != "ByteLevel" {
            return Err(ModelError::Unsupported {
                what: "tokenizer decoder",
                found: decoder.to_owned(),
                supported: "ByteLevel",
            });
        }
        let named: BTreeMap<&str, u32> =
            file.added_tokens.iter().map(|added| (added.content.as_str(), added.id)).collect();
        let commands =
            Commands::of(&named, config, generation).map_err(|reason| ModelError::malformed(&path, &reason))?;
        let bytes = bytes_of_letters();
        let spell = |text: &str| text.chars().filter_map(|letter| bytes.get(&letter).copied()).collect();
        let added: HashSet<u32> = named.values().copied().collect();
        let is_text = |id: u32| id < commands.end && !added.contains(&id);
        let spelled =
            file.model.vocab.iter().filter(|(_, id)| is_text(**id)).map(|(text, id)| (*id, spell(text))).collect();
        let words = Tokens::load(&path, config.max_target_positions)?;
        Ok(Self { size: config.vocab_size, spelled, words, commands })
    }

    /// How many tokens there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// What text tokens spell; commands and timestamps are passed over. Bytes that are no UTF-8 become U+FFFD.
    pub fn text(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens.iter().filter_map(|token| self.spelled.get(token)).flatten().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The tokens of a prompt's text. Text that spells a command is an error, which names it.
    pub fn prompt(&self, text: &str) -> Result<Vec<u32>, String> {
        let tokens = self.words.encode_bare(&format!(" {}", text.trim()))?;
        match tokens.iter().find(|token| **token >= self.commands.end) {
            Some(token) => Err(format!("it spells the command {token}")),
            None => Ok(tokens),
        }
    }
}

impl Commands {
    fn of(named: &BTreeMap<&str, u32>, config: &Config, generation: &GenerationConfig) -> Result<Self, String> {
        let by_name = |names: &[&str]| {
            let found = names.iter().find_map(|name| named.get(name).copied());
            found.ok_or_else(|| format!("there is no token {}", names.join(" or ")))
        };
        let id = |given: Option<u32>, names: &[&str]| given.map_or_else(|| by_name(names), Ok);
        let no_timestamps = id(generation.no_timestamps_token_id, &["<|notimestamps|>"])?;
        // Older files say nothing; then the size of the vocabulary tells, as the authors' own code has it.
        let many = generation.is_multilingual.unwrap_or(config.vocab_size >= 51_865);
        let languages = match (&generation.lang_to_id, many) {
            (_, false) => BTreeMap::new(),
            (Some(given), true) => given.iter().map(|(name, id)| (bare(name).to_owned(), *id)).collect(),
            (None, true) => named
                .iter()
                .filter(|(name, _)| super::languages::language_name(bare(name)).is_some())
                .map(|(name, id)| (bare(name).to_owned(), *id))
                .collect(),
        };
        let task = |name: &str| generation.task_to_id.as_ref().and_then(|tasks| tasks.get(name).copied());
        let tasks = if many {
            let transcribe = id(task("transcribe"), &["<|transcribe|>"])?;
            Some(Tasks { transcribe, translate: id(task("translate"), &["<|translate|>"])? })
        } else {
            None
        };
        let commands = Self {
            end: id(generation.eos_token_id, &["<|endoftext|>"])?,
            start: id(generation.decoder_start_token_id, &["<|startoftranscript|>"])?,
            previous: id(generation.prev_sot_token_id, &["<|startofprev|>"])?,
            no_speech: by_name(&["<|nospeech|>", "<|nocaptions|>"])
                .or_else(|missing| no_timestamps.checked_sub(1).ok_or(missing))?,
            no_timestamps,
            tasks,
            languages,
        };
        commands.check(config.vocab_size)
    }

    fn check(self, vocabulary: usize) -> Result<Self, String> {
        let tasks = self.tasks.iter().flat_map(|tasks| [tasks.transcribe, tasks.translate]);
        let all = [self.end, self.start, self.previous, self.no_speech, self.first_timestamp()];
        match all.into_iter().chain(tasks).chain(self.languages.values().copied()).find(|id| *id as usize >= vocabulary)
        {
            Some(id) => Err(format!("token {id} is beyond the vocabulary of {vocabulary}")),
            None if self.tasks.is_some() && self.languages.is_empty() => Err("there are no language tokens".to_owned()),
            None => Ok(self),
        }
    }
}

fn bare(name: &str) -> &str {
    name.strip_prefix("<|").and_then(|rest| rest.strip_suffix("|>")).unwrap_or(name)
}

/// The letters by which byte-level vocabularies write bytes (Radford et al., 2019): printable ones stand for themselves, the others for
/// those from U+0100 on.
fn bytes_of_letters() -> BTreeMap<char, u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut next = 0x100_u32;
    let mut letters = BTreeMap::new();
    for byte in 0..=u8::MAX {
        let letter = if printable(byte) {
            char::from(byte)
        } else {
            next += 1;
            char::from_u32(next - 1).unwrap_or(char::REPLACEMENT_CHARACTER)
        };
        letters.insert(letter, byte);
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_letter() {
        let letters = bytes_of_letters();
        assert_eq!(letters.len(), 256);
        assert_eq!((letters[&'Ġ'], letters[&'Ċ'], letters[&'a'], letters[&'é']), (b' ', b'\n', b'a', 0xE9));
    }
}
