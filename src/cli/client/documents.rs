//! `sensorium documents list|get|delete`.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::connection::ConnectionArgs;
use super::http::{Client, typed};
use super::inputs::{filter, json_object};
use super::jobs::Job;
use super::output::{self, clean, line};
use super::pages::{self, cell};
use super::problem::{CliError, Exit};
use super::table;
use super::waiting::until_final;

/// Look at documents, delete them.
#[derive(Debug, Clone, Args)]
pub struct DocumentsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DocumentsCommand,
}

/// What to do with documents.
#[derive(Debug, Clone, Subcommand)]
pub enum DocumentsCommand {
    /// List documents, newest first
    List(ListArgs),
    /// Show a document with its parts
    Get(GetArgs),
    /// Delete documents with their vectors and bytes
    Delete(DeleteArgs),
}

/// Which documents.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only of this collection
    #[arg(short, long, value_name = "NAME")]
    pub collection: Option<String>,
    /// Only with this tag; with several, those that have all
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// The document with this external id
    #[arg(long, value_name = "ID")]
    pub external_id: Option<String>,
    /// Conditions, in the language of search filters
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub filter: Option<Value>,
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

/// Which document.
#[derive(Debug, Clone, Args)]
pub struct GetArgs {
    /// The document
    #[arg(value_name = "DOCUMENT_ID")]
    pub id: String,
    /// JSON in place of text
    #[arg(long)]
    pub json: bool,
}

/// Which documents go.
#[derive(Debug, Clone, Args)]
pub struct DeleteArgs {
    /// The documents
    #[arg(required = true, value_name = "DOCUMENT_ID")]
    pub ids: Vec<String>,
    /// Wait until vectors and bytes are gone; searches do not find them any more in any case
    #[arg(short, long)]
    pub wait: bool,
    /// A line of JSON (the job) for each document in place of text
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(args: DocumentsArgs, connection: ConnectionArgs) -> Result<Exit, CliError> {
    let client = Client::new(&connection)?;
    match args.command {
        DocumentsCommand::List(args) => list(&client, args).await,
        DocumentsCommand::Get(args) => {
            let document = client.get(&["documents", &args.id], &[]).await?;
            if args.json {
                output::json(&document)?;
            } else {
                describe(&document)?;
            }
            Ok(Exit::Done)
        }
        DocumentsCommand::Delete(args) => {
            let mut exit = Exit::Done;
            for id in &args.ids {
                match delete(&client, &["documents", id], args.wait, args.json).await {
                    Ok(Exit::Done) => {}
                    Ok(other) => exit = other,
                    Err(error @ CliError::Problem(_)) => {
                        eprintln!("error: {}: {error}", clean(id));
                        exit = Exit::Failed;
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(exit)
        }
    }
}

async fn list(client: &Client, args: ListArgs) -> Result<Exit, CliError> {
    let filter = filter(args.filter.as_ref(), &args.tags).map_err(CliError::Usage)?.map(|filter| filter.to_string());
    let given = [("collection", args.collection), ("external_id", args.external_id), ("filter", filter)];
    let query: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let limit = (!args.all).then_some(args.limit as usize);
    let page = pages::collect(client, "documents", &query, args.page_token, limit).await?;
    if args.json {
        output::json(&page)?;
        return Ok(Exit::Done);
    }
    let pointers = ["/id", "/status", "/collection", "/title", "/external_id", "/tags", "/created_at"];
    let head = ["id", "status", "collection", "title", "external id", "tags", "created"];
    table::print(&head, &[], pages::rows(&page, "documents", &pointers), "no document")?;
    pages::tell_more(&page);
    Ok(Exit::Done)
}

fn describe(document: &Value) -> Result<(), CliError> {
    let fields = [
        "id",
        "status",
        "collection",
        "title",
        "external_id",
        "tags",
        "metadata",
        "version",
        "created_at",
        "updated_at",
    ];
    for field in fields {
        let text = cell(document, &format!("/{field}"));
        if !text.is_empty() && text != "{}" {
            line(&clean(&format!("{field:12} {text}")))?;
        }
    }
    line("")?;
    let head = ["part", "status", "type", "bytes", "segments", "name", "error"];
    let pointers = ["/id", "/status", "/media_type", "/size_bytes", "/segments", "/name", "/error/detail"];
    table::print(&head, &[3, 4], pages::rows(document, "parts", &pointers), "no part")
}

/// Deletes what stands at `segments` and tells of the job.
pub async fn delete(client: &Client, segments: &[&str], wait: bool, json: bool) -> Result<Exit, CliError> {
    let name = segments.last().copied().unwrap_or_default();
    let body = client.json(client.request(Method::DELETE, segments)).await?;
    if body.is_null() {
        if !json {
            line(&clean(&format!("{name}: deleted")))?;
        }
        return Ok(Exit::Done);
    }
    let mut job: Job = typed(&body)?;
    let mut shown = body;
    if wait && !job.is_final() {
        job = until_final(client, job, |_| {}).await?;
        shown = client.get(&["jobs", &job.id], &[]).await?;
    }
    if json {
        output::json_line(&shown)?;
    } else {
        let state =
            if job.is_final() { job.state.clone() } else { format!("not found any more; {} clears up", job.id) };
        line(&clean(&format!("{name}: {state}")))?;
    }
    Ok(job.exit())
}
