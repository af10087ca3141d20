//! `sensorium serve`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::SettingsArgs;
use crate::lifecycle;
use crate::telemetry::Telemetry;

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
    let telemetry = Telemetry::start(&config.log, &config.traces)?;
    lifecycle::run(config).await?;
    telemetry.end().await;
    Ok(ExitCode::SUCCESS)
}
