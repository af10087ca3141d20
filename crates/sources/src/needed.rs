//! Which files of a repository a model needs. Nothing else is fetched, and never a pickle.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::error::SourceError;
use crate::listing::{Listing, RemoteFile};
use crate::repository::Repository;

/// The usual name of the weights.
pub(crate) const WEIGHTS: &str = "model.safetensors";
/// The usual name of the index of weights in several files.
pub(crate) const INDEX: &str = "model.safetensors.index.json";
/// The parts of a sentence-transformers model.
pub(crate) const MODULES: &str = "modules.json";
const CONFIG: &str = "config.json";

/// Files that say what a model is and how its inputs are prepared, at the top of a repository.
const SMALL: [&str; 17] = [
    CONFIG,
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "normalizer.json",
    "chat_template.json",
    MODULES,
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    INDEX,
];

/// What pickled weights are called.
const PICKLES: [&str; 5] = [".bin", ".pt", ".pth", ".ckpt", ".pkl"];

/// Which state of a repository is meant, for messages.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub repository: &'a Repository,
    pub commit: &'a str,
}

/// The files beside the weights, at the top. The weights' index is among them where there is no single file of weights.
pub(crate) fn small<'a>(listing: &'a Listing, at: At) -> Result<Vec<&'a RemoteFile>, SourceError> {
    if listing.file(CONFIG).is_none() {
        return Err(SourceError::NoConfig { repository: at.repository.clone(), revision: at.commit.to_owned() });
    }
    let single = listing.file(WEIGHTS).is_some();
    let wanted = SMALL.iter().filter(|name| !(single && **name == INDEX));
    Ok(wanted.filter_map(|name| listing.file(name)).collect())
}

/// The files of weights: the single one, or those that the index names. `index` is the text of the index, where it was fetched.
pub(crate) fn weights<'a>(
    listing: &'a Listing,
    index: Option<&[u8]>,
    at: At,
) -> Result<Vec<&'a RemoteFile>, SourceError> {
    let (repository, revision) = (at.repository.clone(), at.commit.to_owned());
    if let Some(single) = listing.file(WEIGHTS) {
        return Ok(vec![single]);
    }
    if let Some(index) = index {
        return shards(listing, index, at);
    }
    let pickle = listing.files.iter().find(|file| PICKLES.iter().any(|ending| file.path.ends_with(ending)));
    Err(match pickle {
        Some(pickle) => SourceError::OnlyPickle { repository, revision, file: pickle.path.clone() },
        None => SourceError::NoWeights { repository, revision },
    })
}

#[derive(Deserialize)]
struct Index {
    weight_map: std::collections::BTreeMap<String, String>,
}

fn shards<'a>(listing: &'a Listing, index: &[u8], at: At) -> Result<Vec<&'a RemoteFile>, SourceError> {
    let missing = |file: &str| SourceError::NoFile {
        repository: at.repository.clone(),
        revision: at.commit.to_owned(),
        file: file.to_owned(),
    };
    let index: Index =
        serde_json::from_slice(index).map_err(|_| missing("weight_map in model.safetensors.index.json"))?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    let safe = names.iter().filter(|name| name.ends_with(".safetensors"));
    if safe.count() != names.len() {
        let file = names.into_iter().find(|name| !name.ends_with(".safetensors")).unwrap_or_default();
        return Err(SourceError::OnlyPickle {
            repository: at.repository.clone(),
            revision: at.commit.to_owned(),
            file,
        });
    }
    names.iter().map(|name| listing.file(name).ok_or_else(|| missing(name))).collect()
}

#[derive(Deserialize)]
struct Module {
    path: String,
}

/// The files of a sentence-transformers model's parts, each in its folder. `modules` is the text of `modules.json`.
pub(crate) fn modules<'a>(listing: &'a Listing, modules: &[u8]) -> Vec<&'a RemoteFile> {
    // A text that cannot be read is the loader's to complain of: it names the file on disk.
    let modules: Vec<Module> = serde_json::from_slice(modules).unwrap_or_default();
    let folders = modules.iter().map(|module| module.path.trim_matches('/')).filter(|path| !path.is_empty());
    let names = folders.flat_map(|folder| [CONFIG, WEIGHTS].map(|name| format!("{folder}/{name}")));
    names.filter_map(|name| listing.file(&name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::ContentId;

    fn listing(paths: &[&str]) -> Listing {
        let file = |path: &&str| RemoteFile { path: (*path).to_owned(), bytes: 1, id: ContentId::Git("a".repeat(40)) };
        Listing { commit: "c".repeat(40), files: paths.iter().map(file).collect() }
    }

    fn paths(files: &[&RemoteFile]) -> Vec<String> {
        files.iter().map(|file| file.path.clone()).collect()
    }

    fn repository() -> Repository {
        "a/b".parse().unwrap()
    }

    #[test]
    fn only_what_a_loader_reads_is_taken() {
        let repository = repository();
        let at = At { repository: &repository, commit: "c" };
        let all = [
            "README.md",
            "config.json",
            "tokenizer.json",
            "model.safetensors",
            "model.safetensors.index.json",
            "pytorch_model.bin",
            "onnx/model.onnx",
            "modules.json",
            "1_Pooling/config.json",
            "2_Dense/model.safetensors",
            "2_Dense/pytorch_model.bin",
        ];
        let all = listing(&all);
        assert_eq!(paths(&small(&all, at).unwrap()), ["config.json", "tokenizer.json", "modules.json"]);
        assert_eq!(paths(&weights(&all, None, at).unwrap()), ["model.safetensors"]);
        let text = br#"[{"path":""},{"path":"1_Pooling"},{"path":"2_Dense/"},{"path":"../../etc"}]"#;
        assert_eq!(paths(&modules(&all, text)), ["1_Pooling/config.json", "2_Dense/model.safetensors"]);
    }

    #[test]
    fn weights_in_several_files_are_those_of_the_index() {
        let repository = repository();
        let at = At { repository: &repository, commit: "c" };
        let all = listing(&["config.json", INDEX, "model-1.safetensors", "model-2.safetensors", "model-3.safetensors"]);
        assert_eq!(paths(&small(&all, at).unwrap()), ["config.json", INDEX]);
        let index =
            br#"{"weight_map":{"a":"model-2.safetensors","b":"model-1.safetensors","c":"model-1.safetensors"}}"#;
        assert_eq!(paths(&weights(&all, Some(index), at).unwrap()), ["model-1.safetensors", "model-2.safetensors"]);
        let absent = br#"{"weight_map":{"a":"model-9.safetensors"}}"#;
        assert!(weights(&all, Some(absent), at).unwrap_err().to_string().contains("model-9.safetensors"));
        let pickled = br#"{"weight_map":{"a":"pytorch_model-1.bin"}}"#;
        assert!(matches!(weights(&all, Some(pickled), at), Err(SourceError::OnlyPickle { .. })));
    }

    #[test]
    fn a_pickle_is_refused_with_advice() {
        let repository = repository();
        let at = At { repository: &repository, commit: "c" };
        let error = weights(&listing(&["config.json", "pytorch_model.bin"]), None, at).unwrap_err().to_string();
        assert!(error.contains("pytorch_model.bin") && error.contains("refs/pr/"), "{error}");
        let none = weights(&listing(&["config.json", "model.onnx"]), None, at).unwrap_err();
        assert!(matches!(none, SourceError::NoWeights { .. }));
        assert!(matches!(small(&listing(&["model.safetensors"]), at), Err(SourceError::NoConfig { .. })));
    }
}
