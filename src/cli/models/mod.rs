//! `sensorium models`: the models of this machine.

mod list;
mod progress;

use clap::{Args, Subcommand};
use sensorium_sources::{Check, ModelEntry, ProfileFile};
use serde_json::{Value, json};

use super::SettingsArgs;
use super::client::output::{self, line};
use super::client::problem::{CliError, Exit};
use crate::models::{Models, ModelsError};
use crate::profile;

/// What is done with the models of this machine.
///
/// Exit code: 0 done, 1 failed or not complete, 2 wrong usage, 3 the hub could not be reached.
#[derive(Subcommand)]
pub enum ModelsCommand {
    /// List the models of every profile: where they come from, and whether they are here
    List(TargetArgs),
    /// Fetch the models of a profile that are not here
    Pull(TargetArgs),
    /// Read every file of the models of a profile and compare it with models.lock
    Verify(TargetArgs),
    /// Remove what was fetched of a profile from the cache, and its lines in models.lock
    Rm(TargetArgs),
}

/// Which models, and how to tell of them.
#[derive(Args)]
pub struct TargetArgs {
    /// A profile (starter, standard, clip), or the file of one's own; the configured one when left out
    #[arg(value_name = "PROFILE")]
    profile: Option<String>,
    /// Only this model of it
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// JSON in place of the table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// A profile with those of its models that are meant.
struct Target {
    profile: ProfileFile,
    models: Vec<(String, ModelEntry)>,
}

/// Runs the command on a thread that may block.
pub async fn run(command: ModelsCommand) -> Result<Exit, CliError> {
    let running = tokio::task::spawn_blocking(move || match command {
        ModelsCommand::List(args) => list::run(&args),
        ModelsCommand::Pull(args) => each(&args, pull),
        ModelsCommand::Verify(args) => each(&args, verify),
        ModelsCommand::Rm(args) => each(&args, remove),
    });
    running.await.map_err(|error| CliError::Failed(error.to_string()))?
}

impl TargetArgs {
    fn models(&self) -> Result<(Models, String), CliError> {
        let config = self.settings.load(Vec::new()).map_err(|error| CliError::Usage(error.to_string()))?;
        let configured = match config.profile.name.as_str() {
            "auto" => "starter".to_owned(),
            name => name.to_owned(),
        };
        Ok((Models::new(&config).map_err(failed)?, configured))
    }

    /// The profile that is named, or `configured`.
    fn target(&self, configured: &str) -> Result<Target, CliError> {
        let named = self.profile.as_deref().unwrap_or(configured);
        let profile = profile::read(named).map_err(|error| CliError::Usage(error.to_string()))?;
        let known = profile.models.clone();
        let models = match &self.model {
            None => known.into_iter().collect(),
            Some(name) => {
                let Some(entry) = known.get(name) else {
                    let names = known.into_keys().collect::<Vec<_>>().join(", ");
                    let text = format!("profile {} has no model {name}; it has {names}", profile.name);
                    return Err(CliError::Usage(text));
                };
                vec![(name.clone(), entry.clone())]
            }
        };
        Ok(Target { profile, models })
    }
}

#[allow(clippy::needless_pass_by_value)] // the form that `map_err` asks for
fn failed(error: ModelsError) -> CliError {
    if error.is_no_connection() { CliError::Broken(error.to_string()) } else { CliError::Failed(error.to_string()) }
}

/// What became of a model, in words and for programs.
type Outcome = Result<(String, Value), ModelsError>;

fn pull(models: &Models, name: &str, entry: &ModelEntry) -> Outcome {
    let mut bars = progress::Bars::new(name);
    let folder = models.pull(name, entry, &mut |event| bars.told(event))?;
    Ok((format!("here, in {}", folder.display()), json!({"folder": folder})))
}

fn verify(models: &Models, name: &str, entry: &ModelEntry) -> Outcome {
    let mut bars = progress::Bars::new(name);
    let folder = models.check(name, entry, Check::Full, &mut |event| bars.told(event))?;
    Ok((format!("as it should be, in {}", folder.display()), json!({"folder": folder})))
}

fn remove(models: &Models, _: &str, entry: &ModelEntry) -> Outcome {
    let freed = models.remove(entry)?;
    let words = if freed == 0 { "nothing to remove".to_owned() } else { format!("{freed} bytes freed") };
    Ok((words, json!({"freed_bytes": freed})))
}

/// Does `work` for each model and goes on after one that failed; the first failure is the command's.
fn each(args: &TargetArgs, work: fn(&Models, &str, &ModelEntry) -> Outcome) -> Result<Exit, CliError> {
    let (models, configured) = args.models()?;
    let target = args.target(&configured)?;
    let mut first = None;
    for (name, entry) in &target.models {
        let outcome = work(&models, name, entry);
        if args.json {
            let mut told = json!({"profile": target.profile.name, "model": name, "ok": outcome.is_ok()});
            match &outcome {
                Ok((_, Value::Object(more))) => {
                    told.as_object_mut().into_iter().for_each(|told| told.extend(more.clone()));
                }
                Ok(_) => {}
                Err(error) => told["error"] = error.to_string().into(),
            }
            output::json_line(&told)?;
        }
        match outcome {
            Ok((words, _)) if !args.json => line(&output::clean(&format!("{name}: {words}")))?,
            Ok(_) => {}
            Err(error) => {
                eprintln!("{name}: {}", output::clean(&error.to_string()));
                first.get_or_insert_with(|| failed(error).exit());
            }
        }
    }
    Ok(first.unwrap_or(Exit::Done))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(profile: Option<&str>, model: Option<&str>) -> TargetArgs {
        let (profile, model) = (profile.map(str::to_owned), model.map(str::to_owned));
        TargetArgs { profile, model, json: false, settings: SettingsArgs::default() }
    }

    #[test]
    fn a_profile_is_named_or_configured_or_a_file() {
        assert_eq!(args(None, None).target("starter").unwrap().models.len(), 3);
        let one = args(Some("standard"), Some("whisper-small")).target("starter").unwrap();
        assert_eq!((one.profile.name.as_str(), one.models.len()), ("standard", 1));
        let told = |profile, model| args(Some(profile), model).target("starter").err().unwrap();
        assert!(told("omni", None).to_string().contains("starter, standard, clip"));
        assert!(told("clip", Some("owl")).to_string().contains("clip-vit-base-patch32"));
        assert!(told("/nonexistent/mine.toml", None).to_string().contains("/nonexistent/mine.toml"));
        assert_eq!(told("omni", None).exit(), Exit::Usage);
    }
}
