//! The text of a profile file, read strictly.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sensorium_domain::{Modality, SpaceName};
use toml::Table;

use super::fields::{Faults, Fields};
use super::{ModelEntry, Origin, PoolingDefault, Precision, ProfileFile, SpaceEntry};
use crate::repository::{Repository, Revision, is_hex};
use crate::store::HubModel;

/// Longer vectors than any model has that is meant here.
const MOST_DIMENSIONS: i64 = 8192;
/// The folder below `models/` whose models come with the program.
const BUNDLED_FOLDER: &str = "starter";

/// Reads a profile; paths in it are meant from `folder`.
pub fn profile(text: &str, folder: &Path) -> Result<ProfileFile, Vec<String>> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| vec![error.to_string().trim_end().to_owned()])?;
    let faults = RefCell::default();
    let read = whole(Fields::new(table, "", &faults), folder, &faults);
    match (read, faults.into_inner()) {
        (Some(profile), faults) if faults.is_empty() => Ok(profile),
        (_, faults) => Err(faults),
    }
}

fn whole(mut fields: Fields, folder: &Path, faults: &Faults) -> Option<ProfileFile> {
    let name = fields.required("name", Fields::parsed::<SpaceName>).map(|name| name.to_string());
    let summary = fields.required("summary", Fields::text);
    let transcriber = fields.text("transcriber");
    let captioner = fields.text("captioner");
    let mut models = BTreeMap::new();
    let mut named = BTreeSet::new();
    for (name, fields) in fields.tables("models") {
        // A model's name goes into the keys of vectors and into a path.
        if let Err(error) = name.parse::<SpaceName>() {
            fields.fault("", error);
        }
        named.insert(name.clone());
        if let Some(entry) = model(fields, folder) {
            models.insert(name, entry);
        }
    }
    let mut spaces = Vec::new();
    for (name, fields) in fields.tables("spaces") {
        spaces.extend(space(&name, fields, folder));
    }
    if spaces.is_empty() {
        fields.fault("spaces", "there is no space that could be searched");
    }
    let towers = spaces.iter().flat_map(|space| space.towers.values());
    let used: BTreeSet<&String> = towers.chain(&transcriber).chain(&captioner).collect();
    for model in &used {
        if !named.contains(*model) {
            fields.fault("models", format!("\"{model}\" is used and not described"));
        }
    }
    for model in named.iter().filter(|name| !used.contains(name)) {
        // A space with faults is not among those that use it.
        if faults.borrow().is_empty() {
            fields.fault("models", format!("\"{model}\" is described and not used"));
        }
    }
    fields.finish();
    Some(ProfileFile { name: name?, summary: summary?, models, spaces, transcriber, captioner })
}

fn model(mut fields: Fields, folder: &Path) -> Option<ModelEntry> {
    let origin = origin(&mut fields, folder);
    let architecture = fields.text("architecture");
    let licence = fields.required("licence", Fields::text);
    let precision = fields.parsed::<Precision>("precision").unwrap_or_default();
    fields.finish();
    Some(ModelEntry { origin: origin?, architecture, licence: licence?, precision })
}

fn origin(fields: &mut Fields, folder: &Path) -> Option<Origin> {
    let bundled = fields.text("bundled");
    if let Some(other) = bundled.as_deref().filter(|name| *name != BUNDLED_FOLDER) {
        fields.fault("bundled", format!("\"{other}\" does not come with the program; {BUNDLED_FOLDER} does"));
    }
    let own = fields.text("folder").map(PathBuf::from);
    let repository = fields.parsed::<Repository>("hub");
    let from_hub = fields.has("revision") || fields.has("pypi") || fields.has("sha256");
    let revision = fields.parsed::<Revision>("revision").unwrap_or_default();
    let package = fields.text("pypi");
    let sha256 = fields.texts("sha256");
    for (name, hash) in &sha256 {
        if !is_hex(hash, 64) {
            fields.fault(&format!("sha256.{name}"), "must be 64 hexadecimal digits in lower case");
        }
    }
    match (bundled, own, repository) {
        (None, None, Some(repository)) => {
            Some(Origin::Hub { model: HubModel { repository, revision, sha256 }, package })
        }
        (Some(_), None, None) | (None, Some(_), None) if from_hub => {
            fields.fault("hub", "is missing, and revision, pypi and sha256 are said");
            None
        }
        (Some(_), None, None) => Some(Origin::Bundled),
        (None, Some(own), None) => Some(Origin::Folder(folder.join(own))),
        _ => {
            fields.fault("hub", "exactly one of hub, folder and bundled says where the files come from");
            None
        }
    }
}

fn space(name: &str, mut fields: Fields, folder: &Path) -> Option<SpaceEntry> {
    let name = name.parse::<SpaceName>().map_err(|error| fields.fault("", error)).ok();
    let dimensions = fields.required("dimensions", |fields, key| fields.number(key, MOST_DIMENSIONS));
    let mut towers = BTreeMap::new();
    for (modality, model) in fields.texts("towers") {
        match modality.parse::<Modality>() {
            Ok(modality) => {
                towers.insert(modality, model);
            }
            Err(error) => fields.fault("towers", error),
        }
    }
    if towers.is_empty() {
        fields.fault("towers", "must name the model of at least one modality");
    }
    let (mut query_prompt, mut passage_prompt) = (String::new(), String::new());
    if let Some(mut prompts) = fields.table("prompts") {
        query_prompt = prompts.raw_text("query").unwrap_or_default();
        passage_prompt = prompts.raw_text("passage").unwrap_or_default();
        prompts.finish();
    }
    let pooling = fields.parsed::<PoolingDefault>("pooling");
    let calibration = fields.text("calibration").map(|path| folder.join(path));
    fields.finish();
    Some(SpaceEntry {
        name: name?,
        dimensions: dimensions?,
        towers,
        query_prompt,
        passage_prompt,
        pooling,
        calibration,
    })
}

impl FromStr for Precision {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            "f16" => Ok(Self::F16),
            other => Err(format!("\"{other}\" is not a precision (f32, bf16, f16)")),
        }
    }
}

impl FromStr for PoolingDefault {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "mean" => Ok(Self::Mean),
            "cls" => Ok(Self::Cls),
            other => Err(format!("\"{other}\" is not a pooling (mean, cls)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_profiles_are_good() {
        for name in ProfileFile::bundled_names() {
            let profile = ProfileFile::bundled(name).unwrap().unwrap();
            assert_eq!(profile.name, name);
        }
        assert!(ProfileFile::bundled("omni").is_none());
    }

    #[test]
    fn a_users_own_checkpoint_is_a_file() {
        let text = r#"
            name = "ours"
            summary = "our shoes"
            [models.shoes]
            folder = "checkpoint"
            licence = "ours"
            precision = "bf16"
            [spaces.visual]
            dimensions = 512
            towers = { text = "shoes", image = "shoes" }
            prompts = { query = "a photo of " }
            calibration = "shoes.json"
        "#;
        let ours = profile(text, Path::new("/p")).unwrap();
        let shoes = &ours.models["shoes"];
        assert_eq!((&shoes.origin, shoes.precision), (&Origin::Folder("/p/checkpoint".into()), Precision::Bf16));
        let visual = &ours.spaces[0];
        assert_eq!(
            (visual.dimensions, visual.query_prompt.as_str(), visual.passage_prompt.as_str()),
            (512, "a photo of ", "")
        );
        assert_eq!(visual.calibration, Some(PathBuf::from("/p/shoes.json")));
        assert_eq!(visual.towers.keys().copied().collect::<Vec<_>>(), [Modality::Text, Modality::Image]);
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let text = r#"
            name = "o/o"
            colour = 1
            [models.a]
            hub = "../../etc"
            precision = "f8"
            [models.b]
            hub = "a/b"
            folder = "c"
            licence = "x"
            [models.c]
            folder = "c"
            revision = "main"
            licence = "x"
            [models.d]
            hub = "a/d"
            licence = "x"
            sha256 = { "model.safetensors" = "beef" }
            [models.e]
            bundled = "omni"
            licence = "x"
            [spaces.visual]
            dimensions = 0
            towers = { smell = "a", image = "zz" }
            prompts = { querry = "" }
            pooling = "max"
        "#;
        let faults = profile(text, Path::new("")).unwrap_err();
        let told = [
            "name: \"o/o\"",
            "summary: is missing",
            "colour: no such field",
            "models.a.hub",
            "models.a.licence",
            "models.a.precision",
            "models.b.hub: exactly one",
            "models.c.hub: is missing",
            "models.d.sha256.model.safetensors",
            "models.e.bundled",
            "spaces.visual.dimensions",
            "smell",
            "querry",
            "spaces.visual.pooling",
        ];
        for part in told {
            assert!(faults.iter().any(|fault| fault.contains(part)), "{part} is not in {faults:#?}");
        }
        let unused = "name = \"a\"\nsummary = \"b\"\n[models.m]\nhub = \"a/b\"\nlicence = \"x\"\n[spaces.s]\ndimensions = 1\ntowers = { text = \"n\" }\n";
        let faults = profile(unused, Path::new("")).unwrap_err().join("\n");
        assert!(faults.contains("\"n\" is used and not described"), "{faults}");
    }
}
