//! Making a data folder of an archive.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sensorium_domain::BlobHash;
use sha2::{Digest, Sha256};
use tar::Archive;

use super::write::Hashing;
use super::{BackupError, FORMAT, MANIFEST, Manifest, SECRETS, at, ignore_missing};
use crate::blobs;
use crate::data_folder::{BLOBS, CATALOG, private_file};

/// The most bytes that a manifest may have.
const MAX_MANIFEST_BYTES: u64 = 65_536;

/// Makes `folder` of an archive. It appears whole or not at all: everything is unpacked and checked beside it first. Blocks.
pub fn restore(archive: impl Read, folder: &Path) -> Result<Manifest, BackupError> {
    let is_free = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(BackupError::File(folder.display().to_string(), error)),
    };
    if !is_free {
        return Err(BackupError::NotEmpty(folder.to_owned()));
    }
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(format!(".restoring-{}", std::process::id()));
    let beside = folder.with_file_name(name);
    make_private(&beside)?;
    let outcome = unpack(archive, &beside).and_then(|manifest| {
        fs::remove_dir(folder)
            .or_else(ignore_missing)
            .and_then(|()| fs::rename(&beside, folder))
            .map_err(at(folder.display()))?;
        Ok(manifest)
    });
    if outcome.is_err() {
        fs::remove_dir_all(&beside).ok();
    }
    outcome
}

/// What an entry of the archive is, told from its name; anything else has no business in one.
enum Entry {
    Blob { place: PathBuf, hash: BlobHash },
    Catalog,
    Secret(&'static str),
    Manifest,
}

impl Entry {
    fn of(path: &Path) -> Option<Self> {
        let name = path.to_str()?;
        if let Some(place) = name.strip_prefix(BLOBS).and_then(|rest| rest.strip_prefix('/')) {
            let (tenant, hash) = blobs::parse(place)?;
            return (blobs::place(&tenant, hash) == place).then(|| Self::Blob { place: path.to_owned(), hash });
        }
        match name {
            CATALOG => Some(Self::Catalog),
            MANIFEST => Some(Self::Manifest),
            name => SECRETS.into_iter().find(|secret| *secret == name).map(Self::Secret),
        }
    }
}

fn unpack(archive: impl Read, folder: &Path) -> Result<Manifest, BackupError> {
    let damaged = |error: io::Error| BackupError::Damaged(error.to_string());
    let mut archive = Archive::new(archive);
    let (mut blobs, mut blob_bytes, mut catalog) = (0, 0, None);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.into_owned();
        let kind = Entry::of(&path).filter(|_| entry.header().entry_type().is_file());
        match kind.ok_or_else(|| BackupError::Damaged(format!("it has {} in it", path.display())))? {
            Entry::Blob { place, hash } => {
                let (size, found) = unpack_file(&mut entry, &folder.join(&place))?;
                if found != hash {
                    return Err(BackupError::Damaged(format!("the content of {} is not what it was", place.display())));
                }
                blobs += 1;
                blob_bytes += size;
            }
            Entry::Catalog => catalog = Some(unpack_file(&mut entry, &folder.join(CATALOG))?.1),
            Entry::Secret(name) => drop(unpack_file(&mut entry, &folder.join(name))?),
            Entry::Manifest => {
                let mut text = Vec::new();
                entry.take(MAX_MANIFEST_BYTES).read_to_end(&mut text).map_err(damaged)?;
                let manifest = read_manifest(&text)?;
                let is_whole = manifest.blobs == blobs
                    && manifest.blob_bytes == blob_bytes
                    && catalog.is_some_and(|hash| hash.to_string() == manifest.catalog_sha256);
                if !is_whole {
                    return Err(BackupError::Damaged("its contents are not what its manifest says".to_owned()));
                }
                sync(folder)?;
                return Ok(manifest);
            }
        }
    }
    Err(BackupError::Damaged("it ends before its manifest".to_owned()))
}

fn read_manifest(text: &[u8]) -> Result<Manifest, BackupError> {
    let wrong = |error: serde_json::Error| BackupError::Damaged(format!("{MANIFEST}: {error}"));
    let value: serde_json::Value = serde_json::from_slice(text).map_err(wrong)?;
    match value["format"].as_u64() {
        Some(format) if format == u64::from(FORMAT) => serde_json::from_value(value).map_err(wrong),
        Some(format) => Err(BackupError::Format(format as u32)),
        None => Err(BackupError::Damaged(format!("{MANIFEST} names no format"))),
    }
}

/// Writes an entry, for its owner only; its size and hash.
fn unpack_file(entry: impl Read, path: &Path) -> Result<(u64, BlobHash), BackupError> {
    if let Some(parent) = path.parent() {
        make_private(parent)?;
    }
    let mut file = private_file().create_new(true).open(path).map_err(at(path.display()))?;
    let mut entry = Hashing { inner: entry, hash: Sha256::new() };
    let size = io::copy(&mut entry, &mut file).map_err(|error| BackupError::Damaged(error.to_string()))?;
    file.sync_all().map_err(at(path.display()))?;
    Ok((size, BlobHash::from_digest(entry.hash.finalize().into())))
}

fn make_private(folder: &Path) -> Result<(), BackupError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(at(folder.display()))
}

fn sync(folder: &Path) -> Result<(), BackupError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            // `append_data` refuses names that leave the folder, so they are written as they are.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            tar.append(&header, *bytes).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn hash(bytes: &[u8]) -> String {
        BlobHash::of(bytes).to_string()
    }

    fn whole() -> Vec<(String, Vec<u8>)> {
        let manifest = Manifest {
            format: FORMAT,
            version: "0".to_owned(),
            made_at: "2026-01-01T00:00:00Z".to_owned(),
            profile: None,
            blobs: 1,
            blob_bytes: 5,
            lost_blobs: 0,
            catalog_sha256: hash(b"rows"),
        };
        let blob = hash(b"bytes");
        vec![
            (format!("blobs/acme/{}/{blob}", &blob[..2]), b"bytes".to_vec()),
            ("key".to_owned(), b"sk_1".to_vec()),
            ("catalog.sqlite".to_owned(), b"rows".to_vec()),
            ("manifest.json".to_owned(), serde_json::to_vec(&manifest).unwrap()),
        ]
    }

    fn restored(entries: &[(String, Vec<u8>)]) -> (Result<Manifest, BackupError>, Vec<String>) {
        let entries: Vec<_> = entries.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        let place = tempfile::tempdir().unwrap();
        let outcome = restore(archive(&entries).as_slice(), &place.path().join("data"));
        let left = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        (outcome, left.collect())
    }

    #[test]
    fn a_whole_archive_becomes_a_folder() {
        let (outcome, left) = restored(&whole());
        assert_eq!((outcome.unwrap().blobs, left), (1, vec!["data".to_owned()]));
    }

    #[test]
    fn what_is_not_whole_or_not_ours_leaves_nothing() {
        let changed = |change: fn(&mut Vec<(String, Vec<u8>)>)| {
            let mut entries = whole();
            change(&mut entries);
            entries
        };
        for (what, entries) in [
            ("no manifest", changed(|entries| drop(entries.pop()))),
            ("another content", changed(|entries| entries[0].1 = b"bytez".to_vec())),
            ("a blob less", changed(|entries| drop(entries.remove(0)))),
            ("another catalog", changed(|entries| entries[2].1 = b"r0ws".to_vec())),
            ("a way out", changed(|entries| entries[1].0 = "../key".to_owned())),
            ("an absolute path", changed(|entries| entries[1].0 = "/tmp/key".to_owned())),
            ("a stranger", changed(|entries| entries[1].0 = "server.json".to_owned())),
            ("a newer format", changed(|entries| entries[3].1 = br#"{"format": 2}"#.to_vec())),
        ] {
            let (outcome, left) = restored(&entries);
            assert!(matches!(outcome, Err(BackupError::Damaged(_) | BackupError::Format(2))), "{what}: {outcome:?}");
            assert!(left.is_empty(), "{what}: {left:?}");
        }
        let cut = archive(&whole().iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect::<Vec<_>>());
        for length in [0, 100, 600, cut.len() / 2] {
            let place = tempfile::tempdir().unwrap();
            assert!(restore(&cut[..length], &place.path().join("data")).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_folder_in_use_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("something"), "dear").unwrap();
        assert!(matches!(restore(&[][..], place.path()), Err(BackupError::NotEmpty(_))));
        assert_eq!(fs::read_to_string(place.path().join("something")).unwrap(), "dear");
    }
}
