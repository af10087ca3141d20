//! Writing the archive.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sensorium_domain::{BlobHash, Catalog, CatalogError, TenantId, Timestamp};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::{BackupError, FORMAT, MANIFEST, Manifest, SECRETS, at, ignore_missing};
use crate::data_folder::{BLOBS, CATALOG};
use crate::{blobs, startup};

const PAGE: u32 = 1_000;
/// How often the catalog is copied again because blobs of its copy were deleted before they were in the archive.
const COPIES: usize = 3;

type Blob = (TenantId, BlobHash);

/// Writes the archive of a data folder, whose server may be running, to `out`; `progress` is told how many blobs are in it.
///
/// Blobs never change, so those that are there go first, and the catalog's copy comes after them: what it knows is in the archive already,
/// but for what was added meanwhile, which follows.
pub async fn write<W: Write + Send + 'static>(
    folder: &Path,
    now: Timestamp,
    out: W,
    mut progress: impl FnMut(u64) + Send + 'static,
) -> Result<Manifest, BackupError> {
    let folder = folder.to_owned();
    let mut archive = Archive { tar: Builder::new(out), written: HashSet::new(), bytes: 0 };
    let aside = Aside::in_folder(&folder)?;
    let bytes = folder.join(BLOBS);
    let mut archive = tokio::task::spawn_blocking(move || {
        archive.add_folder(&bytes, &mut progress)?;
        Ok::<_, BackupError>(archive)
    })
    .await??;

    let mut copies = 0;
    let (profile, lost) = loop {
        copies += 1;
        fs::remove_file(aside.file()).or_else(ignore_missing).map_err(at(aside.file().display()))?;
        let Known { blobs: known, profile } = startup::copy_catalog(&folder, &aside.file()).await?;
        let bytes = folder.join(BLOBS);
        let (back, lost) = tokio::task::spawn_blocking(move || {
            let lost = archive.add_missing(&bytes, &known)?;
            Ok::<_, BackupError>((archive, lost))
        })
        .await??;
        archive = back;
        if lost == 0 || copies == COPIES {
            break (profile, lost);
        }
    };
    tokio::task::spawn_blocking(move || archive.finish(&folder, &aside.file(), profile, lost, now)).await?
}

/// What a catalog knows that an archive must have.
pub struct Known {
    blobs: Vec<Blob>,
    profile: Option<String>,
}

impl Known {
    /// By this catalog.
    pub async fn by(catalog: &dyn Catalog) -> Result<Self, CatalogError> {
        let profile = catalog.generation().await?.map(|generation| generation.profile);
        let mut blobs: Vec<Blob> = Vec::new();
        loop {
            let page = catalog.blobs(blobs.last().cloned(), PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            blobs.extend(page);
            if is_last {
                return Ok(Self { blobs, profile });
            }
        }
    }
}

/// A folder of our own in the data folder, removed at the end.
struct Aside(PathBuf);

impl Aside {
    fn in_folder(folder: &Path) -> Result<Self, BackupError> {
        let path = folder.join(format!("backup.aside-{}", std::process::id()));
        fs::create_dir(&path).map_err(at(path.display()))?;
        Ok(Self(path))
    }

    fn file(&self) -> PathBuf {
        self.0.join(CATALOG)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "the copy of the catalog was not removed");
        }
    }
}

struct Archive<W: Write> {
    tar: Builder<W>,
    written: HashSet<Blob>,
    bytes: u64,
}

impl<W: Write> Archive<W> {
    /// Every blob in the folder. One that goes while it is looked for is left out.
    fn add_folder(&mut self, folder: &Path, progress: &mut impl FnMut(u64)) -> Result<(), BackupError> {
        for entry in walkdir::WalkDir::new(folder).min_depth(3).max_depth(3).sort_by_file_name() {
            let Ok(entry) = entry else { continue };
            let Some(blob) = entry.path().strip_prefix(folder).ok().and_then(|place| blobs::parse(place.to_str()?))
            else {
                continue;
            };
            self.add_blob(folder, blob)?;
            progress(self.written.len() as u64);
        }
        Ok(())
    }

    /// What is known and not in the archive yet; how many are not there.
    fn add_missing(&mut self, folder: &Path, known: &[Blob]) -> Result<u64, BackupError> {
        let mut lost = 0;
        for blob in known {
            if !self.written.contains(blob) && !self.add_blob(folder, blob.clone())? {
                lost += 1;
            }
        }
        Ok(lost)
    }

    fn add_blob(&mut self, folder: &Path, blob: Blob) -> Result<bool, BackupError> {
        let place = blobs::place(&blob.0, blob.1);
        let file = match File::open(folder.join(&place)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(BackupError::File(place, error)),
        };
        let size = file.metadata().map_err(at(&place))?.len();
        self.add(&format!("{BLOBS}/{place}"), size, file)?;
        self.bytes += size;
        self.written.insert(blob);
        Ok(true)
    }

    fn add(&mut self, name: &str, size: u64, bytes: impl Read) -> Result<(), BackupError> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_size(size);
        self.tar.append_data(&mut header, name, bytes).map_err(at(name))
    }

    fn finish(
        mut self,
        folder: &Path,
        catalog: &Path,
        profile: Option<String>,
        lost_blobs: u64,
        now: Timestamp,
    ) -> Result<Manifest, BackupError> {
        for name in SECRETS {
            match fs::read(folder.join(name)) {
                Ok(secret) => self.add(name, secret.len() as u64, secret.as_slice())?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(BackupError::File(name.to_owned(), error)),
            }
        }
        let file = File::open(catalog).map_err(at(catalog.display()))?;
        let size = file.metadata().map_err(at(catalog.display()))?.len();
        let mut file = Hashing { inner: file, hash: Sha256::new() };
        self.add(CATALOG, size, &mut file)?;
        let manifest = Manifest {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            made_at: now.to_string(),
            profile,
            blobs: self.written.len() as u64,
            blob_bytes: self.bytes,
            lost_blobs,
            catalog_sha256: BlobHash::from_digest(file.hash.finalize().into()).to_string(),
        };
        let text = serde_json::to_vec_pretty(&manifest).map_err(io::Error::from).map_err(at(MANIFEST))?;
        self.add(MANIFEST, text.len() as u64, text.as_slice())?;
        let mut out = self.tar.into_inner().map_err(at("the archive"))?;
        out.flush().map_err(at("the archive"))?;
        Ok(manifest)
    }
}

/// Hashes what passes.
pub(super) struct Hashing<T> {
    pub(super) inner: T,
    pub(super) hash: Sha256,
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}
