//! `sensorium serve`.

use std::process::ExitCode;

use clap::Args;
use tracing_subscriber::EnvFilter;

use crate::cli::SettingsArgs;
use crate::config::Log;
use crate::{lifecycle, startup};

/// Flags of `serve`.
#[derive(Args)]
pub struct ServeArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Where to listen
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The profile: auto, starter, standard, clip, or a file ending in .toml
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// What this process does: all, api or worker
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
}

/// Runs the server until it is told to stop.
pub async fn run(args: ServeArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut overrides = Vec::new();
    overrides.extend(args.listen.map(|listen| ("server.listen", listen)));
    overrides.extend(args.profile.map(|profile| ("profile.name", profile)));
    overrides.extend(args.role.map(|role| ("server.role", role)));
    let config = args.settings.load(overrides)?;
    log_to_stderr(&config.log)?;
    let app = startup::start(config).await?;
    lifecycle::serve(app).await?;
    Ok(ExitCode::SUCCESS)
}

fn log_to_stderr(settings: &Log) -> Result<(), Box<dyn std::error::Error>> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|error| format!("log.filter: {error}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if settings.format == "json" {
        builder.json().init();
    } else {
        builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init();
    }
    Ok(())
}
