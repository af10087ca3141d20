//! `sensorium backup` and `sensorium restore`.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use sensorium_domain::{Clock, SystemClock};

use crate::backup::{self, BackupError, Manifest};
use crate::cli::SettingsArgs;
use crate::data_folder::{CATALOG, private_file};

/// Flags of `backup`.
#[derive(Args)]
pub struct BackupArgs {
    /// The archive to write, which must not exist; - for standard output
    #[arg(value_name = "FILE")]
    archive: PathBuf,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Flags of `restore`.
#[derive(Args)]
pub struct RestoreArgs {
    /// The archive; - for standard input
    #[arg(value_name = "FILE")]
    archive: PathBuf,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Writes the archive. It holds the first key and the secret of tokens, so it is readable for its owner only.
pub async fn write(args: BackupArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let config = args.settings.load(Vec::new())?;
    if !config.catalog.url.is_empty() || !config.blobs.url.is_empty() {
        return Err("backup is for data folders: Postgres has pg_dump, and a bucket its own versions; the index is filled again from the catalog".into());
    }
    let folder = config.storage.data_dir;
    if !folder.join(CATALOG).exists() {
        return Err(format!("there is no data folder {}", folder.display()).into());
    }
    let manifest = if is_standard(&args.archive) {
        backup::write(&folder, SystemClock.now(), BufWriter::new(io::stdout()), progress()).await?
    } else {
        to_file(&folder, &args.archive).await?
    };
    tell("backed up", &manifest);
    Ok(if manifest.lost_blobs == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The archive has its name only once it is whole.
async fn to_file(folder: &Path, path: &Path) -> Result<Manifest, Box<dyn std::error::Error>> {
    if path.exists() {
        return Err(format!("{} exists; choose another name", path.display()).into());
    }
    let mut name = path.file_name().ok_or("the archive needs a name")?.to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let opened = private_file().create(true).truncate(true).open(&partial);
    let file = opened.map_err(|error| format!("{}: {error}", partial.display()))?;
    let synced = file.try_clone()?;
    let written = backup::write(folder, SystemClock.now(), BufWriter::new(file), progress()).await;
    match written {
        Ok(manifest) => {
            synced.sync_all()?;
            std::fs::rename(&partial, path)?;
            Ok(manifest)
        }
        Err(error) => {
            std::fs::remove_file(&partial).ok();
            Err(error.into())
        }
    }
}

/// Makes the data folder.
pub async fn restore(args: RestoreArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let config = args.settings.load(Vec::new())?;
    let folder = config.storage.data_dir;
    let archive = args.archive;
    let restored = tokio::task::spawn_blocking(move || -> Result<Manifest, BackupError> {
        if is_standard(&archive) {
            return backup::restore(io::stdin().lock(), &folder);
        }
        let file = File::open(&archive).map_err(|error| BackupError::File(archive.display().to_string(), error))?;
        backup::restore(io::BufReader::new(file), &folder)
    });
    tell("restored", &restored.await??);
    Ok(ExitCode::SUCCESS)
}

fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

fn progress() -> impl FnMut(u64) {
    let is_terminal = io::stderr().is_terminal();
    move |blobs| {
        if is_terminal && blobs.is_multiple_of(100) {
            eprint!("\r{blobs} parts");
            io::stderr().flush().ok();
        }
    }
}

/// To stderr, as the archive itself may go to standard output.
fn tell(what: &str, manifest: &Manifest) {
    if io::stderr().is_terminal() {
        eprint!("\r");
    }
    let profile = manifest.profile.as_deref().unwrap_or("none");
    eprintln!(
        "{what}: {} parts, {} bytes, profile {profile}, made at {}",
        manifest.blobs, manifest.blob_bytes, manifest.made_at
    );
    if manifest.lost_blobs > 0 {
        eprintln!("{} parts that the catalog knows have no bytes; sensorium fsck names them", manifest.lost_blobs);
    }
}
