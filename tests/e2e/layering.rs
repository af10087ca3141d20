//! What may know what, read from the sources.

use std::fs;
use std::path::{Path, PathBuf};

use crate::server::root;

/// Rust files in a folder, or the file itself.
fn sources(path: &str) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(root().join(path)).into_iter().map(|entry| entry.unwrap().into_path());
    let found: Vec<_> = files.filter(|file| file.extension().is_some_and(|extension| extension == "rs")).collect();
    assert!(!found.is_empty(), "nothing in {path}");
    found
}

fn mentions(file: &Path, word: &str) -> bool {
    fs::read_to_string(file).unwrap().to_lowercase().contains(&word.to_lowercase())
}

#[track_caller]
fn none_mentions(paths: &[&str], words: &[&str]) {
    for file in paths.iter().flat_map(|path| sources(path)) {
        for word in words {
            assert!(!mentions(&file, word), "{} mentions {word}", file.display());
        }
    }
}

#[test]
fn http_knows_no_database_no_model_and_no_index() {
    none_mentions(&["src/http"], &["sqlx", "candle", "qdrant"]);
}

#[test]
fn use_cases_know_no_web_framework() {
    none_mentions(&["src/ingest", "src/search", "src/jobs", "src/embed.rs", "src/fsck.rs"], &["axum"]);
}

#[test]
fn the_domain_depends_on_none_of_ours() {
    let manifest = fs::read_to_string(root().join("crates/domain/Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
    assert!(!dependencies.contains("sensorium-"), "{dependencies}");
    none_mentions(&["crates/domain/src"], &["sensorium_"]);
}

#[test]
fn only_the_startup_names_implementations() {
    let startup = [root().join("src/startup.rs"), root().join("src/profile")];
    for file in sources("src") {
        for name in ["SqliteCatalog", "PostgresCatalog", "EdgeIndex", "QdrantIndex", "LocalEncoder"] {
            let may = startup.iter().any(|place| file.starts_with(place));
            assert!(may || !mentions(&file, name), "{} names {name}", file.display());
        }
    }
}

#[test]
fn crates_do_not_know_the_application() {
    for folder in fs::read_dir(root().join("crates")).unwrap() {
        let manifest = fs::read_to_string(folder.unwrap().path().join("Cargo.toml")).unwrap();
        assert!(
            !manifest.lines().any(|line| line.starts_with("sensorium =") || line.starts_with("sensorium.")),
            "{manifest}"
        );
    }
}
