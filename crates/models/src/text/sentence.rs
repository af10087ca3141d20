//! The files that sentence-transformers puts around a network: what happens to its token states, how long texts may be, and what is
//! put before them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::config::unsupported;
use super::pooling::Pooling;
use super::steps::Step;
use crate::error::ModelError;
use crate::source::Source;

/// What the files say.
pub(super) struct Sentence {
    /// How token states become a vector.
    pub pooling: Pooling,
    /// What happens to the vector, in order; vectors always get unit length after it.
    pub steps: Vec<Step>,
    /// Length of the vectors.
    pub dimensions: usize,
    /// Most tokens of a text, where a file says it.
    pub max_tokens: Option<usize>,
    /// Whether texts are put in lower case, whatever the tokenizer does.
    pub lower_case: bool,
    /// What goes before texts.
    pub prompts: Prompts,
}

/// What goes before a text, by what the text is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Prompts {
    /// Before what somebody looks for.
    pub query: String,
    /// Before what can be found.
    pub passage: String,
}

impl Prompts {
    /// Takes those that are given instead.
    pub fn replace(&mut self, query: Option<String>, passage: Option<String>) {
        if let Some(query) = query {
            self.query = query;
        }
        if let Some(passage) = passage {
            self.passage = passage;
        }
    }
}

/// An entry of `modules.json`.
#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

/// `sentence_bert_config.json`.
#[derive(Deserialize, Default)]
struct Transformer {
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

/// `config_sentence_transformers.json`.
#[derive(Deserialize, Default)]
struct Root {
    #[serde(default)]
    prompts: BTreeMap<String, Option<String>>,
    default_prompt_name: Option<String>,
    similarity_fn_name: Option<String>,
}

impl Sentence {
    /// Reads what is there; `width` is that of the token states. Without `modules.json` the pooling is `pooling`, or else the
    /// mean, as sentence-transformers has it.
    pub fn load(source: &Source, width: usize, pooling: Option<Pooling>) -> Result<Self, ModelError> {
        let transformer: Transformer = source.optional_json("sentence_bert_config.json")?.unwrap_or_default();
        let root: Root = source.optional_json("config_sentence_transformers.json")?.unwrap_or_default();
        let mut sentence = Self {
            pooling: pooling.unwrap_or(Pooling::Mean),
            steps: Vec::new(),
            dimensions: width,
            max_tokens: transformer.max_seq_length,
            lower_case: transformer.do_lower_case,
            prompts: root.prompts()?,
        };
        for module in source.optional_json::<Vec<Module>>("modules.json")?.unwrap_or_default() {
            sentence.add(source, &module)?;
        }
        root.check_similarity(sentence.steps.iter().any(|step| matches!(step, Step::Normalise)))?;
        Ok(sentence)
    }

    fn add(&mut self, source: &Source, module: &Module) -> Result<(), ModelError> {
        match module.kind.rsplit('.').next().unwrap_or_default() {
            "Transformer" if module.path.is_empty() => {}
            "Transformer" => {
                return Err(unsupported("folder of the network", &module.path, "the model's folder itself"));
            }
            "Pooling" => self.pooling = Pooling::load(source, &format!("{}/config.json", module.path))?,
            "Dense" => {
                let (dense, outputs) =
                    Step::dense(&Source::Folder(source.folder().join(&module.path)), self.dimensions)?;
                self.steps.push(dense);
                self.dimensions = outputs;
            }
            "Normalize" => self.steps.push(Step::Normalise),
            other => return Err(unsupported("module", other, "Transformer, Pooling, Dense, Normalize")),
        }
        Ok(())
    }
}

impl Root {
    /// The prompt named for queries or passages. The default prompt counts only where neither is named: a prompt of queries that is also the
    /// default must not get before passages.
    fn prompts(&self) -> Result<Prompts, ModelError> {
        let named = |names: &[&str]| names.iter().find_map(|name| self.prompts.get(*name)?.clone());
        let (query, passage) = (named(&["query"]), named(&["document", "passage", "corpus"]));
        if query.is_some() || passage.is_some() {
            return Ok(Prompts { query: query.unwrap_or_default(), passage: passage.unwrap_or_default() });
        }
        let Some(name) = &self.default_prompt_name else { return Ok(Prompts::default()) };
        match self.prompts.get(name) {
            Some(prompt) => {
                let prompt = prompt.clone().unwrap_or_default();
                Ok(Prompts { query: prompt.clone(), passage: prompt })
            }
            None => Err(unsupported("default_prompt_name", name, "a name among the prompts")),
        }
    }

    /// Vectors of unit length are compared by cosine; that is their dot product too, but only if the model gives them that length.
    fn check_similarity(&self, normalises: bool) -> Result<(), ModelError> {
        match self.similarity_fn_name.as_deref() {
            None | Some("cosine") => Ok(()),
            Some("dot") if normalises => Ok(()),
            Some("dot") => {
                Err(unsupported("similarity", "dot of vectors that are not normalised", "cosine, dot of unit vectors"))
            }
            Some(other) => Err(unsupported("similarity", other, "cosine, dot")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Root {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn prompts_go_by_what_the_text_is() {
        let prompts = |text: &str| {
            root(text).prompts().map(|prompts| (prompts.query, prompts.passage)).map_err(|error| error.to_string())
        };
        let both = |query: &str, passage: &str| Ok((query.to_owned(), passage.to_owned()));
        assert_eq!(prompts("{}"), both("", ""));
        assert_eq!(prompts(r#"{"prompts": {"query": "q: ", "passage": "p: "}}"#), both("q: ", "p: "));
        assert_eq!(
            prompts(r#"{"prompts": {"query": "q: ", "document": null}, "default_prompt_name": "query"}"#),
            both("q: ", "")
        );
        assert_eq!(prompts(r#"{"prompts": {"any": "a: "}, "default_prompt_name": "any"}"#), both("a: ", "a: "));
        assert!(prompts(r#"{"default_prompt_name": "any"}"#).unwrap_err().contains("default_prompt_name \"any\""));
    }

    #[test]
    fn similarities_that_unit_vectors_do_not_keep_are_refused() {
        let check = |name: &str, normalises| {
            root(&format!(r#"{{"similarity_fn_name": {name}}}"#)).check_similarity(normalises).is_ok()
        };
        assert!(check("null", false) && check("\"cosine\"", false) && check("\"dot\"", true));
        assert!(!check("\"dot\"", false) && !check("\"euclidean\"", true));
    }
}
