//! Why a model's files are not here. Each error says what to do.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::repository::{Repository, Revision};

/// Why a model's files are not here.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the texts say what the fields are
pub enum SourceError {
    /// `HF_ENDPOINT` is no address.
    #[error("HF_ENDPOINT is \"{text}\"; it must be an address such as https://huggingface.co")]
    Endpoint { text: String },
    /// The owner lets in only those who have accepted its terms.
    #[error("{repository} is gated: accept its terms at {page}, then {}", token_advice(*with_token))]
    Gated { repository: Repository, page: String, with_token: bool },
    /// Nothing there, or nothing that we may know of: the hub does not tell which.
    #[error("{repository} does not exist on {hub}, or is private: check the name{}", private_advice(*with_token))]
    NoRepository { repository: Repository, hub: String, with_token: bool },
    /// The token is not one, or may not do this.
    #[error(
        "{hub} refuses the token for {repository}: {said}; make one with read access at {hub}/settings/tokens and set HF_TOKEN"
    )]
    Token { repository: Repository, hub: String, said: String },
    /// The repository is there and has no such state.
    #[error("{repository} has no revision \"{revision}\"; its branches and tags are listed at {page}")]
    NoRevision { repository: Repository, revision: Revision, page: String },
    /// The state is there and has no such file.
    #[error("{repository}@{revision} has no file {file}")]
    NoFile { repository: Repository, revision: String, file: String },
    /// It cannot be a model of the Transformers layout.
    #[error("{repository}@{revision} has no config.json: it is no model in the layout of Transformers")]
    NoConfig { repository: Repository, revision: String },
    /// Only weights that can run code when they are read.
    #[error(
        "{repository}@{revision} has only pickled weights ({file}), which can run code when they are read, and they are refused. \
         Name a revision that has model.safetensors (the hub's converter offers one as a pull request, refs/pr/NUMBER, for many \
         repositories), or convert it and name the folder"
    )]
    OnlyPickle { repository: Repository, revision: String, file: String },
    /// No weights at all.
    #[error("{repository}@{revision} has neither model.safetensors nor model.safetensors.index.json")]
    NoWeights { repository: Repository, revision: String },
    /// The hub asks for patience, and for more than ours.
    #[error("{hub} has had too many requests from here{}", wait_advice(*seconds))]
    TooMany { hub: String, seconds: Option<u64> },
    /// The hub fails.
    #[error("{host} failed with status {status}, {tries} times in a row; try again later")]
    ServerFailed { host: String, status: u16, tries: u32 },
    /// No connection, or one that breaks again and again.
    #[error(
        "{host} could not be reached, or broke off, {tries} times in a row: {reason}. What has arrived is kept: run it again to go on. \
         Behind a proxy set HTTPS_PROXY; for a mirror set HF_ENDPOINT; to use only what is in the cache set HF_HUB_OFFLINE=1"
    )]
    Unreachable { host: String, reason: String, tries: u32 },
    /// An answer that the hub's protocol does not have.
    #[error("{host} answered {found}, which the hub's protocol does not have here; is HF_ENDPOINT a hub?")]
    Protocol { host: String, found: String },
    /// We may not ask, and it is not here.
    #[error(
        "{what} is not in the cache {}, and HF_HUB_OFFLINE forbids to fetch it: unset it, or copy the cache from a machine that has it",
        cache.display()
    )]
    Offline { what: String, cache: PathBuf },
    /// A file is not the one that the hub, the profile or `models.lock` says.
    #[error("{} has sha256 {found}, and {by} says {expected}; {advice}", path.display())]
    WrongHash { path: PathBuf, found: String, expected: String, by: &'static str, advice: &'static str },
    /// A file has another length than it should.
    #[error("{} is {found} bytes long, and {by} says {expected}; run `sensorium models pull` to fetch the right one", path.display())]
    WrongLength { path: PathBuf, found: u64, expected: u64, by: &'static str },
    /// A model that was pulled is not complete any more, or was never pulled.
    #[error("{model} is not here ({} is missing): run `sensorium models pull`", path.display())]
    NotPulled { model: String, path: PathBuf },
    /// No room.
    #[error("no room for {}: {needed} bytes are still needed; make room, or move the cache with HF_HUB_CACHE, and run it again: what has arrived is kept", path.display())]
    DiskFull { path: PathBuf, needed: u64 },
    /// A file or folder.
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: std::io::Error },
    /// `models.lock` was changed by hand, or is of another version.
    #[error("{} cannot be understood: {reason}; put it right, or remove it and pull again", path.display())]
    Lock { path: PathBuf, reason: String },
}

fn token_advice(with_token: bool) -> &'static str {
    if with_token {
        "wait for the owner if access is granted by hand; HF_TOKEN must belong to the account that asked"
    } else {
        "set HF_TOKEN to a token with read access"
    }
}

fn private_advice(with_token: bool) -> &'static str {
    if with_token { ", and whether the account of HF_TOKEN may read it" } else { "; for a private one set HF_TOKEN" }
}

fn wait_advice(seconds: Option<u64>) -> String {
    let when = seconds.map_or_else(|| "later".to_owned(), |seconds| format!("in {seconds} s"));
    format!("; try again {when}. With HF_TOKEN the limits are higher")
}

impl SourceError {
    /// An error about a file; a full disk is told as such.
    pub(crate) fn file(path: &Path, error: std::io::Error, needed: u64) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path: path.to_owned(), needed },
            _ => Self::File { path: path.to_owned(), error },
        }
    }

    /// For `map_err` where nothing is written.
    pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |error| Self::file(path, error, 0)
    }
}
