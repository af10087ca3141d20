//! `sensorium add PATH...`: files and folders become documents.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::connection::ConnectionArgs;
use super::files;
use super::http::Client;
use super::inputs::json_object;
use super::outcome::{self, Outcome, Status};
use super::output;
use super::problem::{CliError, Exit};
use super::upload::{Accepted, Plan, upload};
use super::waiting::until_final;

/// Add files and whole folders, one document a file.
///
/// Adding the same file again with the same options adds nothing, so an interrupted run can be repeated. Exit code: 0 all
/// are in, 1 some are not, 2 wrong usage, 3 no connection.
#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// Files, and folders with all that is in them; hidden files and links in folders are passed over
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The collection; made when it does not exist
    #[arg(short, long, value_name = "NAME")]
    pub collection: Option<String>,
    /// A tag for every document; may be given several times
    #[arg(short, long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// The title; for a single file only
    #[arg(long)]
    pub title: Option<String>,
    /// Metadata for every document, a JSON object
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub metadata: Option<Value>,
    /// Give each document an external id, so that adding a changed file replaces its document
    #[arg(long, value_name = "FROM")]
    pub external_id_from: Option<ExternalIdFrom>,
    /// Wait until the documents can be found, and tell what could not be read
    #[arg(short, long)]
    pub wait: bool,
    /// Uploads at a time
    #[arg(short, long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// A line of JSON for each file in place of the table
    #[arg(long)]
    pub json: bool,
}

/// What becomes the external id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExternalIdFrom {
    /// The path as it is written on the command line, or found under the folder that is
    Path,
}

/// Runs the command.
pub async fn run(args: AddArgs, connection: ConnectionArgs) -> Result<Exit, CliError> {
    let found = files::find(&args.paths);
    if args.title.is_some() && found.files.len() > 1 {
        return Err(CliError::Usage(format!("--title is for one file; {} were found", found.files.len())));
    }
    let client = Client::new(&connection)?;
    let mut outcomes = Vec::new();
    for (path, reason) in &found.faults {
        let refused = Outcome::refused(path.display().to_string(), &CliError::Failed(reason.clone()));
        keep(&args, &mut outcomes, refused)?;
    }
    if found.files.is_empty() && outcomes.is_empty() {
        return Err(CliError::Failed("nothing to add: no file was found under what was named".to_owned()));
    }
    let mut lost = None;
    let accepted = send_all(&client, &args, &found.files, &mut outcomes, &mut lost).await?;
    if lost.is_none() {
        lost = wait_all(&client, &args, accepted, &mut outcomes).await?;
    } else {
        for (path, accepted) in accepted {
            keep(&args, &mut outcomes, Outcome::accepted(path, &accepted))?;
        }
    }
    if !args.json && !outcomes.is_empty() {
        outcome::print(&outcomes)?;
    }
    lost.map_or_else(|| Ok(outcome::exit(&outcomes)), Err)
}

/// Keeps what became of a file; with `--json` it is told at once.
fn keep(args: &AddArgs, outcomes: &mut Vec<Outcome>, outcome: Outcome) -> Result<(), CliError> {
    if args.json {
        output::json_line(&outcome)?;
    }
    outcomes.push(outcome);
    Ok(())
}

/// Uploads, several at a time. A connection that is lost ends the run; what is refused does not.
async fn send_all(
    client: &Client,
    args: &AddArgs,
    paths: &[PathBuf],
    outcomes: &mut Vec<Outcome>,
    lost: &mut Option<CliError>,
) -> Result<Vec<(String, Accepted)>, CliError> {
    let plan = plan(args, paths.len());
    let sizes = paths.iter().filter_map(|path| path.metadata().ok()).map(|facts| facts.len());
    let bar = bar(sizes.sum(), "{msg:20!} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    bar.set_message(format!("0/{} files", paths.len()));
    let uploads = paths.iter().map(async |path| (path.display().to_string(), upload(client, &plan, path, &bar).await));
    let mut uploads = futures::stream::iter(uploads).buffered(usize::from(args.jobs));
    let (mut accepted, mut done) = (Vec::new(), 0);
    while let Some((path, result)) = uploads.next().await {
        done += 1;
        bar.set_message(format!("{done}/{} files", paths.len()));
        match result {
            Ok(taken) => accepted.push((path, taken)),
            Err(error @ CliError::NoConnection { .. }) => {
                *lost = Some(error);
                break;
            }
            Err(error) => bar.suspend(|| keep(args, outcomes, Outcome::refused(path, &error)))?,
        }
    }
    bar.finish_and_clear();
    Ok(accepted)
}

/// Waits for the jobs when that was asked; they run in the order in which they were made.
async fn wait_all(
    client: &Client,
    args: &AddArgs,
    accepted: Vec<(String, Accepted)>,
    outcomes: &mut Vec<Outcome>,
) -> Result<Option<CliError>, CliError> {
    let bar = if args.wait {
        bar(accepted.len() as u64, "{msg:20!} {wide_bar} {pos}/{len} files {eta}")
    } else {
        ProgressBar::hidden()
    };
    let mut lost = None;
    for (path, taken) in accepted {
        let mut outcome = Outcome::accepted(path, &taken);
        if args.wait && lost.is_none() {
            match until_final(client, taken.job, |job| {
                bar.set_message(job.stage().to_owned());
            })
            .await
            {
                Ok(job) => outcome = outcome.with_job(&job),
                Err(error @ CliError::NoConnection { .. }) => lost = Some(error),
                // A file that was added long ago: its document is there, its job is history.
                Err(error) if error.status() == Some(404) && outcome.status == Status::Ready => {}
                Err(error) => outcome.errors.push(error.to_string()),
            }
        }
        bar.inc(1);
        bar.suspend(|| keep(args, outcomes, outcome))?;
    }
    bar.finish_and_clear();
    Ok(lost)
}

fn plan(args: &AddArgs, files: usize) -> Plan {
    let mut description = Map::new();
    let mut put = |name: &str, value: Option<Value>| value.map(|value| description.insert(name.to_owned(), value));
    put("collection", args.collection.as_ref().map(|name| json!(name)));
    put("title", args.title.as_ref().map(|title| json!(title)));
    put("tags", (!args.tags.is_empty()).then(|| json!(args.tags)));
    put("metadata", args.metadata.clone());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    Plan {
        description,
        external_id: args.external_id_from.is_some(),
        wait_s: (args.wait && files == 1).then_some(20),
        run: format!("{now}-{}", std::process::id()),
    }
}

/// A bar on stderr; indicatif hides it when stderr is no terminal.
pub fn bar(length: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: AddArgs,
    }

    #[test]
    fn arguments() {
        let parsed = |line: &str| Line::try_parse_from(line.split(' '));
        assert!(parsed("add").is_err());
        assert!(parsed("add a --jobs 0").is_err());
        assert!(parsed("add a --metadata [1]").is_err());
        assert!(parsed("add a --external-id-from title").is_err());
        let line = "add a b -c docs --tag x --tag y --wait --json --external-id-from path --metadata {\"year\":2026}";
        let plan = parsed(line).map(|line| plan(&line.args, 2));
        let description = plan.as_ref().map(|plan| Value::Object(plan.description.clone())).ok();
        assert_eq!(description, Some(json!({"collection": "docs", "tags": ["x", "y"], "metadata": {"year": 2026}})));
        assert!(plan.is_ok_and(|plan| plan.external_id && plan.wait_s.is_none()));
    }
}
