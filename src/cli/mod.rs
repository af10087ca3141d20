//! The command line.

mod backup;
mod client;
mod fsck;
mod models;
mod serve;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError, Overrides, load};

/// One server that finds any modality with any other.
#[derive(Parser)]
#[command(name = "sensorium", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::ServeArgs),
    /// Make a token for a tenant
    Token(token::TokenArgs),
    /// Check the configuration and say every fault at once
    CheckConfig(SettingsArgs),
    /// Compare catalog, blobs and index of a stopped server, and repair them
    Fsck(fsck::FsckArgs),
    /// Bring the catalog's schema up to date, as every start of a server does
    Migrate(SettingsArgs),
    /// Write everything that a data folder holds into one archive, also while its server runs
    Backup(backup::BackupArgs),
    /// Make a data folder of such an archive
    Restore(backup::RestoreArgs),
    /// Print the OpenAPI document
    Openapi,
    /// Add files and folders
    Add(Remote<client::add::AddArgs>),
    /// Search with words, pictures and sounds
    Search(Remote<client::search::SearchArgs>),
    /// List, show and delete documents
    Documents(Remote<client::documents::DocumentsArgs>),
    /// List, show, watch and cancel jobs
    Jobs(Remote<client::jobs::JobsArgs>),
    /// List, make and delete collections
    Collections(Remote<client::collections::CollectionsArgs>),
    /// Build another generation of the index (other models, another cut) beside the live one, and switch to it
    Reindex(Remote<client::reindex::ReindexArgs>),
    /// List, fetch, check and remove models, and ask what a server runs
    #[command(subcommand)]
    Models(ModelsCommand),
}

#[derive(Subcommand)]
enum ModelsCommand {
    #[command(flatten)]
    Here(models::ModelsCommand),
    /// List the spaces and towers that a server runs
    Running(Remote<client::models::ModelsRunningArgs>),
}

/// A client command with its connection.
#[derive(Debug, Args)]
struct Remote<T: Args> {
    #[command(flatten)]
    args: T,
    #[command(flatten)]
    connection: client::ConnectionArgs,
}

/// Where settings come from.
#[derive(Args, Debug, Clone, Default)]
pub struct SettingsArgs {
    /// The configuration file
    #[arg(long, env = "SENSORIUM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data folder
    #[arg(long, env = "SENSORIUM_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

impl SettingsArgs {
    /// Loads the settings with further overrides.
    pub fn load(&self, mut overrides: Overrides) -> Result<Config, ConfigError> {
        if let Some(folder) = &self.data_dir {
            overrides.push(("storage.data_dir", folder.display().to_string()));
        }
        load(self.config.as_deref(), std::env::vars(), overrides)
    }
}

async fn migrate(args: &SettingsArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    crate::startup::migrate(&args.load(Vec::new())?).await?;
    println!("the catalog's schema is up to date");
    Ok(ExitCode::SUCCESS)
}

/// Runs the command line.
pub async fn run() -> ExitCode {
    let outcome: Result<ExitCode, Box<dyn std::error::Error>> = match Cli::parse().command {
        Command::Serve(args) => serve::run(args).await,
        Command::Token(args) => token::run(&args),
        Command::CheckConfig(args) => args.load(Vec::new()).map_err(Into::into).map(|_| {
            println!("the configuration is valid");
            ExitCode::SUCCESS
        }),
        Command::Fsck(args) => fsck::run(args).await,
        Command::Migrate(args) => migrate(&args).await,
        Command::Backup(args) => backup::write(args).await,
        Command::Restore(args) => backup::restore(args).await,
        Command::Openapi => {
            print!("{}", crate::openapi::text());
            Ok(ExitCode::SUCCESS)
        }
        Command::Add(c) => Ok(client::finish(client::add::run(c.args, c.connection).await)),
        Command::Search(c) => Ok(client::finish(client::search::run(c.args, c.connection).await)),
        Command::Documents(c) => Ok(client::finish(client::documents::run(c.args, c.connection).await)),
        Command::Jobs(c) => Ok(client::finish(client::jobs::run(c.args, c.connection).await)),
        Command::Collections(c) => Ok(client::finish(client::collections::run(c.args, c.connection).await)),
        Command::Reindex(c) => Ok(client::finish(client::reindex::run(c.args, c.connection).await)),
        Command::Models(ModelsCommand::Here(command)) => Ok(client::finish(models::run(command).await)),
        Command::Models(ModelsCommand::Running(c)) => {
            Ok(client::finish(client::models::run(c.args, c.connection).await))
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("sensorium: {error}");
        ExitCode::FAILURE
    })
}
