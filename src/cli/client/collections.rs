//! `sensorium collections list|create|delete`.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::connection::ConnectionArgs;
use super::documents::delete;
use super::http::Client;
use super::inputs::json_object;
use super::output::{self, clean, line};
use super::pages::{self, cell};
use super::problem::{CliError, Exit};
use super::table;

/// Look at collections, make them, delete them.
#[derive(Debug, Clone, Args)]
pub struct CollectionsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CollectionsCommand,
}

/// What to do with collections.
#[derive(Debug, Clone, Subcommand)]
pub enum CollectionsCommand {
    /// List collections
    List {
        /// JSON in place of the table
        #[arg(long)]
        json: bool,
    },
    /// Make a collection
    Create(CreateArgs),
    /// Delete a collection with all its documents
    Delete {
        /// The collection
        #[arg(value_name = "NAME")]
        name: String,
        /// Wait until all is gone
        #[arg(short, long)]
        wait: bool,
        /// JSON (the job) in place of text
        #[arg(long)]
        json: bool,
    },
}

/// The collection to make.
#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What it is, for people
    #[arg(long)]
    pub description: Option<String>,
    /// Anything to keep with it, a JSON object
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub metadata: Option<Value>,
    /// JSON in place of text
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(args: CollectionsArgs, connection: ConnectionArgs) -> Result<Exit, CliError> {
    let client = Client::new(&connection)?;
    match args.command {
        CollectionsCommand::List { json } => list(&client, json).await,
        CollectionsCommand::Create(args) => create(&client, args).await,
        CollectionsCommand::Delete { name, wait, json } => delete(&client, &["collections", &name], wait, json).await,
    }
}

async fn list(client: &Client, json: bool) -> Result<Exit, CliError> {
    let page = client.get(&["collections"], &[]).await?;
    if json {
        output::json(&page)?;
        return Ok(Exit::Done);
    }
    let pointers = ["/name", "/documents", "/description", "/created_at"];
    let head = ["name", "documents", "description", "created"];
    table::print(&head, &[1], pages::rows(&page, "collections", &pointers), "no collection")?;
    Ok(Exit::Done)
}

async fn create(client: &Client, args: CreateArgs) -> Result<Exit, CliError> {
    let mut body = Map::from_iter([("name".to_owned(), json!(args.name))]);
    body.extend(args.description.map(|text| ("description".to_owned(), json!(text))));
    body.extend(args.metadata.map(|value| ("metadata".to_owned(), value)));
    let made = client.json(client.request(Method::POST, &["collections"]).json(&body)).await?;
    if args.json {
        output::json(&made)?;
    } else {
        line(&clean(&format!("{}: created", cell(&made, "/name"))))?;
    }
    Ok(Exit::Done)
}
