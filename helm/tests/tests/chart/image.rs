//! The Dockerfile and what it is built from.

use std::fs;
use std::path::Path;

use sensorium::config::load;

use crate::rendered::{chart, root};

/// The instructions, with continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("Dockerfile")).unwrap().replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').unwrap()).map(|(word, rest)| (word.to_owned(), rest.to_owned())).collect()
}

/// Whether `.dockerignore`, which names what may pass, lets a path pass.
fn passes(path: &str) -> bool {
    let text = fs::read_to_string(root().join(".dockerignore")).unwrap();
    assert!(text.lines().any(|line| line == "*"));
    let mut allowed = text.lines().filter_map(|line| line.strip_prefix('!'));
    allowed.any(|allowed| Path::new(path).starts_with(allowed))
}

#[test]
fn what_is_copied_is_there_and_passes() {
    let copied: Vec<_> = instructions().into_iter().filter(|(word, _)| word == "COPY").collect();
    assert!(copied.len() >= 4);
    for (_, rest) in copied.iter().filter(|(_, rest)| !rest.starts_with("--from")) {
        let words: Vec<_> = rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
        for source in &words[..words.len() - 1] {
            assert!(root().join(source).exists(), "{source}");
            assert!(*source == "." || passes(source), "{source}");
        }
    }
}

#[test]
fn what_the_build_reads_passes() {
    for path in ["Cargo.toml", "Cargo.lock", "src", "crates", "benches", "helm/tests/Cargo.toml", "helm/tests/src"] {
        assert!(root().join(path).exists() && passes(path), "{path}");
    }
    // Files outside the sources that they hold.
    let mut held = 0;
    for file in sources(&root().join("src")).into_iter().chain(sources(&root().join("crates"))) {
        let text = fs::read_to_string(&file).unwrap();
        for word in ["include_str!(\"../", "include_bytes!(\"../", "migrate!(\"../"] {
            for (at, _) in text.match_indices(word) {
                let path = text[at..].split('"').nth(1).unwrap().trim_start_matches("../");
                assert!(passes(path) || file.components().any(|part| part.as_os_str() == "tests"), "{path}");
                held += 1;
            }
        }
    }
    assert!(held >= 6, "{held}");
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn it_runs_as_nobody_in_particular_and_says_what_it_wants() {
    let all = instructions();
    let last_stage = all.iter().rposition(|(word, _)| word == "FROM").unwrap();
    let runtime = &all[last_stage..];
    let of = |word: &str| runtime.iter().filter(|(found, _)| found == word).map(|(_, rest)| rest.as_str()).collect();
    let users: Vec<&str> = of("USER");
    assert_eq!(users, ["10001:10001"], "the user that the chart names");
    let command: Vec<&str> = of("CMD");
    assert_eq!(command, [r#"["serve", "--listen", "0.0.0.0:8080"]"#]);
    let variables: Vec<(String, String)> = of("ENV")
        .into_iter()
        .flat_map(|rest: &str| rest.split_whitespace())
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let read = |more: Vec<(&'static str, String)>| load(None, variables.clone().into_iter(), more);
    read(Vec::new()).unwrap();
    let refused = read(vec![("server.listen", "0.0.0.0:8080".to_owned())]).unwrap_err();
    assert!(refused.to_string().contains("auth.hs256_secret"), "{refused}");
}

#[test]
fn there_is_one_version() {
    assert_eq!(chart().about["appVersion"], env!("CARGO_PKG_VERSION"));
}
