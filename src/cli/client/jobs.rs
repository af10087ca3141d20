//! `sensorium jobs list|get|cancel|watch`.

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::connection::ConnectionArgs;
use super::http::{Client, typed};
use super::output::{self, clean, line};
use super::pages;
use super::problem::{CliError, Exit};
use super::table;
use super::watch;

/// Look at background work, follow it, stop it.
#[derive(Debug, Clone, Args)]
pub struct JobsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: JobsCommand,
}

/// What to do with jobs.
#[derive(Debug, Clone, Subcommand)]
pub enum JobsCommand {
    /// List jobs, newest first
    List(ListArgs),
    /// Show a job with what became of each part; exit code 1 when it has failed
    Get(OneArgs),
    /// Ask a job to stop
    Cancel(OneArgs),
    /// Follow a job to its end; exit code 1 when it, or a part of it, fails
    Watch(OneArgs),
}

/// Which jobs.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only in this state
    #[arg(long)]
    pub state: Option<StateArg>,
    /// Only of this document
    #[arg(long, value_name = "ID")]
    pub document: Option<String>,
    /// The most to list
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// List all
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    /// Go on where a list ended
    #[arg(long, value_name = "TOKEN")]
    pub page_token: Option<String>,
    /// JSON in place of the table
    #[arg(long)]
    pub json: bool,
}

/// Which job.
#[derive(Debug, Clone, Args)]
pub struct OneArgs {
    /// The job
    #[arg(value_name = "JOB_ID")]
    pub id: String,
    /// JSON in place of text; with `watch` a line for each change
    #[arg(long)]
    pub json: bool,
}

/// A job's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StateArg {
    /// Waits for a worker
    Queued,
    /// A worker is on it
    Running,
    /// Done
    Succeeded,
    /// Given up
    Failed,
    /// Stopped
    Cancelled,
}

/// A job as the server shows it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// What it does.
    pub kind: String,
    /// How far it has come.
    pub state: String,
    /// Counts and stage.
    pub progress: Progress,
    /// What became of each part.
    pub parts: Vec<PartResult>,
    /// Why it failed.
    pub error: Option<String>,
}

/// Counts and stage.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// What is going on.
    pub stage: String,
    /// Steps done.
    pub done: u64,
    /// Steps in all; 0 while unknown.
    pub total: u64,
    /// Segments written.
    pub segments: u64,
    /// Segments whose vectors were known.
    pub reused: u64,
}

/// What became of a part.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PartResult {
    /// The part.
    pub part: String,
    /// Its file name.
    pub name: Option<String>,
    /// Segments it has.
    pub segments: u64,
    /// Why it was not read.
    pub error: Option<PartError>,
}

/// Why a part was not read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PartError {
    /// For programs.
    pub code: String,
    /// For people.
    pub detail: String,
}

impl Job {
    /// Whether nothing will change any more.
    pub fn is_final(&self) -> bool {
        matches!(self.state.as_str(), "succeeded" | "failed" | "cancelled")
    }

    /// The stage, or the state while there is none.
    pub fn stage(&self) -> &str {
        if self.progress.stage.is_empty() || self.is_final() { &self.state } else { &self.progress.stage }
    }

    /// What went wrong, a line each.
    pub fn errors(&self) -> Vec<String> {
        let parts = self.parts.iter().filter_map(|part| {
            let error = part.error.as_ref()?;
            let name = part.name.as_deref().unwrap_or(&part.part);
            Some(format!("{name}: {}", if error.detail.is_empty() { &error.code } else { &error.detail }))
        });
        let own = self.error.clone().filter(|_| self.state != "succeeded");
        let stopped = (self.state == "cancelled" && self.error.is_none()).then(|| "cancelled".to_owned());
        parts.chain(own).chain(stopped).collect()
    }

    /// The exit code that its state stands for. A job that still runs has not failed.
    pub fn exit(&self) -> Exit {
        if self.is_final() && !(self.state == "succeeded" && self.errors().is_empty()) {
            Exit::Failed
        } else {
            Exit::Done
        }
    }
}

/// Runs the command.
pub async fn run(args: JobsArgs, connection: ConnectionArgs) -> Result<Exit, CliError> {
    let client = Client::new(&connection)?;
    match args.command {
        JobsCommand::List(args) => list(&client, args).await,
        JobsCommand::Get(args) => show(&client.get(&["jobs", &args.id], &[]).await?, args.json),
        JobsCommand::Cancel(args) => {
            let job = client.json(client.request(Method::POST, &["jobs", &args.id, "cancel"])).await?;
            show(&job, args.json).map(|_| Exit::Done)
        }
        JobsCommand::Watch(args) => {
            let job = watch::follow(&client, &args.id, args.json).await?;
            if !args.json {
                describe(&job)?;
            }
            Ok(job.exit())
        }
    }
}

async fn list(client: &Client, args: ListArgs) -> Result<Exit, CliError> {
    let state = args.state.and_then(|state| state.to_possible_value()).map(|value| value.get_name().to_owned());
    let query: Vec<_> = [("state", state), ("document", args.document)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let limit = (!args.all).then_some(args.limit as usize);
    let page = pages::collect(client, "jobs", &query, args.page_token, limit).await?;
    if args.json {
        output::json(&page)?;
        return Ok(Exit::Done);
    }
    let pointers = [
        "/id",
        "/kind",
        "/state",
        "/progress/stage",
        "/progress/done",
        "/progress/total",
        "/progress/segments",
        "/created_at",
    ];
    let head = ["id", "kind", "state", "stage", "done", "of", "segments", "created"];
    table::print(&head, &[4, 5, 6], pages::rows(&page, "jobs", &pointers), "no job")?;
    pages::tell_more(&page);
    Ok(Exit::Done)
}

/// Prints a job that the server has answered.
pub fn show(body: &Value, json: bool) -> Result<Exit, CliError> {
    let job: Job = typed(body)?;
    if json {
        output::json(body)?;
    } else {
        describe(&job)?;
    }
    Ok(job.exit())
}

fn describe(job: &Job) -> Result<(), CliError> {
    let Progress { done, total, segments, reused, .. } = job.progress;
    let steps = if total > 0 { format!(", {done} of {total}") } else { String::new() };
    let stage = if job.is_final() { String::new() } else { format!(" ({})", job.stage()) };
    line(&clean(&format!(
        "{} {}: {}{stage}{steps}; {segments} segments, {reused} known before",
        job.kind, job.id, job.state
    )))?;
    job.errors().iter().try_for_each(|error| line(&format!("  {}", clean(error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_with_a_bad_part_has_failed_for_scripts() -> Result<(), serde_json::Error> {
        let job: Job = serde_json::from_str(
            r#"{"id":"job_1","state":"succeeded","revision":4,"error":null,
                "parts":[{"part":"prt_1","name":null,"segments":0,"error":{"code":"broken","detail":""}},{"part":"prt_2","segments":1}]}"#,
        )?;
        assert_eq!(job.errors(), ["prt_1: broken"]);
        assert_eq!(job.exit(), Exit::Failed);
        Ok(())
    }

    #[test]
    fn the_error_of_an_earlier_try_is_no_failure() -> Result<(), serde_json::Error> {
        let done: Job = serde_json::from_str(r#"{"state":"succeeded","error":"lease expired"}"#)?;
        assert_eq!(done.exit(), Exit::Done);
        let stopped: Job = serde_json::from_str(r#"{"state":"cancelled"}"#)?;
        assert_eq!((stopped.exit(), stopped.errors()), (Exit::Failed, vec!["cancelled".to_owned()]));
        let running: Job = serde_json::from_str(r#"{"state":"running","progress":{"stage":"encode"}}"#)?;
        assert_eq!((running.exit(), running.stage()), (Exit::Done, "encode"));
        Ok(())
    }
}
