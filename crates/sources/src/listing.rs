//! The files of a repository at one commit.

use serde::Deserialize;

use crate::error::SourceError;
use crate::http::{About, Http, protocol};
use crate::repository::{Repository, Revision, is_commit, is_hex};
use crate::retry::retrying;

/// What the hub calls the content of a file: the name of its blob in the shared cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentId {
    /// Of a large file: its SHA-256.
    Sha256(String),
    /// Of a small file: git's SHA-1.
    Git(String),
}

impl ContentId {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Sha256(id) | Self::Git(id) => id,
        }
    }
}

/// A file on the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its place in the repository.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its content.
    pub id: ContentId,
}

/// All files at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The commit.
    pub commit: String,
    /// The files.
    pub files: Vec<RemoteFile>,
}

#[derive(Deserialize)]
struct Answer {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    sha256: String,
    size: u64,
}

impl Listing {
    /// Asks the hub what `revision` is, and what it holds.
    pub(crate) fn fetch(http: &Http, repository: &Repository, revision: &Revision) -> Result<Self, SourceError> {
        let mut pieces = vec!["api", "models"];
        pieces.extend(repository.as_str().split('/'));
        pieces.extend(["revision", revision.as_str()]);
        let mut url = http.address(&pieces);
        url.set_query(Some("blobs=true"));
        let about = About { repository, revision, file: None };
        let bytes = retrying(http.patience, || http.get(&url, 0, about)?.document())?;
        Self::read(&bytes).map_err(|found| protocol(http.hub(), &found))
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let answer: Answer = serde_json::from_slice(bytes).map_err(|error| format!("no listing ({error})"))?;
        if !is_commit(&answer.sha) {
            return Err("a listing without a commit".to_owned());
        }
        let files = answer.siblings.into_iter().map(file).collect::<Result<_, _>>()?;
        Ok(Self { commit: answer.sha, files })
    }

    /// Files of which nothing but their names is known.
    pub(crate) fn of_names(commit: &str, names: &[String]) -> Self {
        let file = |name: &String| RemoteFile { path: name.clone(), bytes: 0, id: ContentId::Git(String::new()) };
        Self { commit: commit.to_owned(), files: names.iter().map(file).collect() }
    }

    /// The file at `path`.
    pub(crate) fn file(&self, path: &str) -> Option<&RemoteFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

fn file(sibling: Sibling) -> Result<RemoteFile, String> {
    let Sibling { rfilename: path, size, blob_id, lfs } = sibling;
    // What is written to disk under this name must stay in the folder.
    let stays = !path.is_empty()
        && !path.contains(['\\', '\0', ':'])
        && path.split('/').all(|step| !matches!(step, "" | "." | ".."));
    if !stays {
        return Err(format!("a file named {path:?}"));
    }
    let (bytes, id) = match (lfs, size, blob_id) {
        (Some(large), ..) if is_hex(&large.sha256, 64) => (large.size, ContentId::Sha256(large.sha256)),
        (None, Some(size), Some(id)) if is_hex(&id, 40) => (size, ContentId::Git(id)),
        _ => return Err(format!("{path} without its length and hash")),
    };
    Ok(RemoteFile { path, bytes, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(file: &str) -> Result<Listing, String> {
        let commit = "a".repeat(40);
        Listing::read(format!(r#"{{"sha":"{commit}","siblings":[{file}]}}"#).as_bytes())
    }

    #[test]
    fn a_file_has_a_place_a_length_and_a_hash() {
        let git = "b".repeat(40);
        let small = listing(&format!(r#"{{"rfilename":"a/config.json","size":3,"blobId":"{git}"}}"#)).unwrap();
        assert_eq!(
            small.files,
            [RemoteFile { path: "a/config.json".to_owned(), bytes: 3, id: ContentId::Git(git.clone()) }]
        );
        for path in ["../x", "/etc/x", "a//b", "a/./b", "", "a\\\\b"] {
            assert!(listing(&format!(r#"{{"rfilename":"{path}","size":3,"blobId":"{git}"}}"#)).is_err(), "{path}");
        }
        assert!(listing(r#"{"rfilename":"config.json"}"#).is_err());
        assert!(listing(r#"{"rfilename":"w","lfs":{"sha256":"../../x","size":1}}"#).is_err());
    }
}
