//! `sensorium fsck`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::SettingsArgs;
use crate::{fsck, startup};

/// Flags of `fsck`.
#[derive(Args)]
pub struct FsckArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Put right what can be put right without a model
    #[arg(long)]
    repair: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Compares catalog, blobs and index of a data folder whose server is stopped. Exit code 1 when something is wrong and was
/// not repaired.
pub async fn run(args: FsckArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let config = args.settings.load(Vec::new())?;
    if !config.storage.data_dir.exists() {
        return Err(format!("there is no data folder {}", config.storage.data_dir.display()).into());
    }
    let app = startup::start(config).await?;
    let report = fsck::fsck(&app, args.repair).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!(
            "documents {}  segments {}  points {}  blobs {}",
            report.documents, report.segments, report.points, report.blobs
        );
        println!(
            "points without a segment {}  segments without a point {}",
            report.orphan_points, report.missing_points
        );
        println!("blobs without an owner {}  blobs that are lost {}", report.orphan_blobs, report.lost_blobs.len());
        for lost in &report.lost_blobs {
            println!("  lost: {lost}");
        }
        println!(
            "{}",
            if report.clean {
                "clean"
            } else if report.repaired {
                "repaired"
            } else {
                "not clean: run with --repair"
            }
        );
    }
    let good = report.clean || (report.repaired && report.lost_blobs.is_empty() && report.lost_vectors == 0);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
