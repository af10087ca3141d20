//! `sensorium reindex`.

use std::cell::RefCell;

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::connection::ConnectionArgs;
use super::http::{Client, typed};
use super::jobs::{Job, Progress};
use super::output::{self, clean, line};
use super::pages::cell;
use super::problem::{CliError, Exit};
use super::{table, waiting};

/// Build another generation of the index, and switch to it.
#[derive(Debug, Clone, Args)]
pub struct ReindexArgs {
    /// The profile of the new generation: starter, standard, clip, or a profile file on the server; the running one when left out
    #[arg(long, value_name = "NAME", conflicts_with_all = ["generation", "list"])]
    pub profile: Option<String>,
    /// Go back to a generation that was live before, or on with one that was begun
    #[arg(long, value_name = "NUMBER", conflicts_with = "list")]
    pub generation: Option<u32>,
    /// Switch only if the new one finds at least this share of what the old one finds in recent searches, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub min_overlap: f64,
    /// List the generations
    #[arg(long)]
    pub list: bool,
    /// Do not wait for the job
    #[arg(long)]
    pub no_wait: bool,
    /// JSON in place of text
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(args: ReindexArgs, connection: ConnectionArgs) -> Result<Exit, CliError> {
    let client = Client::new(&connection)?;
    if args.list {
        return list(&client, args.json).await;
    }
    let mut body = Map::from_iter([("min_overlap".to_owned(), json!(args.min_overlap))]);
    body.extend(args.profile.map(|profile| ("profile".to_owned(), json!(profile))));
    body.extend(args.generation.map(|number| ("generation".to_owned(), json!(number))));
    let started = client.json(client.request(Method::POST, &["reindex"]).json(&body)).await?;
    let mut job: Job = typed(&started)?;
    if !args.no_wait {
        let told = RefCell::new(String::new());
        job = waiting::until_final(&client, job, |job| {
            let Progress { stage, done, total, .. } = &job.progress;
            let news = format!("{stage} {done}/{total}");
            if !args.json && told.replace(news.clone()) != news {
                eprintln!("{}", clean(&news));
            }
        })
        .await?;
    }
    if args.json {
        output::json(&client.get(&["jobs", &job.id], &[]).await?)?;
    } else if job.state == "succeeded" {
        line("the new generation is live")?;
    } else if args.no_wait {
        line(&clean(&format!("{}: {}", job.id, job.state)))?;
    } else {
        return Err(CliError::Failed(format!("{}: {}", job.state, job.error.unwrap_or_default())));
    }
    Ok(job.exit())
}

async fn list(client: &Client, json: bool) -> Result<Exit, CliError> {
    let generations = client.get(&["generations"], &[]).await?;
    if json {
        output::json(&generations)?;
        return Ok(Exit::Done);
    }
    let head = ["number", "profile", "state", "overlap", "searches", "begun"];
    table::print(&head, &[0, 3, 4], rows(&generations), "no generation")?;
    Ok(Exit::Done)
}

fn rows(generations: &Value) -> Vec<Vec<String>> {
    let pointers = ["/number", "/profile", "/state", "/recall/overlap", "/recall/queries", "/created_at"];
    let generations = generations["generations"].as_array().into_iter().flatten();
    generations.map(|known| pointers.map(|pointer| cell(known, pointer)).to_vec()).collect()
}
