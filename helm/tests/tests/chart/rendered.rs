//! The chart rendered for every file of `values`.

use std::fs;
use std::path::{Path, PathBuf};

use sensorium_chart::{Chart, Object, Rendered, read_yaml};
use serde_json::Value as Json;

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub fn chart() -> Chart {
    Chart::load(&root().join("helm/sensorium")).unwrap_or_else(|error| panic!("{error}"))
}

/// A file of `values`.
pub fn values(name: &str) -> Json {
    let path = root().join("helm/tests/values").join(format!("{name}.yaml"));
    let text = fs::read_to_string(path).unwrap();
    read_yaml(name, &text).unwrap().remove(0)
}

pub fn render(name: &str) -> Rendered {
    chart().render("library", &values(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// All of them, with their names.
pub fn all() -> Vec<(String, Rendered)> {
    let files = fs::read_dir(root().join("helm/tests/values")).unwrap();
    let names = files.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned());
    let all: Vec<_> = names.map(|name| (name.clone(), render(&name))).collect();
    assert!(all.len() >= 4, "{} files", all.len());
    all
}

pub fn of_kind<'a>(rendered: &'a Rendered, kind: &'a str) -> impl Iterator<Item = &'a Object> {
    rendered.objects.iter().filter(move |object| object.kind == kind)
}

pub fn named<'a>(rendered: &'a Rendered, kind: &str, name: &str) -> Option<&'a Object> {
    rendered.objects.iter().find(|object| object.kind == kind && object.name == name)
}

/// The text at a JSON pointer.
pub fn text<'a>(json: &'a Json, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_else(|| panic!("no text at {pointer} in {json}"))
}

/// Every text in a value.
pub fn texts(json: &Json) -> Vec<&str> {
    match json {
        Json::String(text) => vec![text],
        Json::Array(items) => items.iter().flat_map(texts).collect(),
        Json::Object(map) => map.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
