//! The hub: one repository, listed and served as the real one does it, and faults in its answers one after another.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sensorium_sources::{HubModel, HubSettings, Patience, Snapshot, SourceError, Store};
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::server::{Reply, Request, serve};

pub const REPOSITORY: &str = "acme/owl";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Who gives an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Hub,
    Storage,
}

/// What is wrong with an answer.
pub enum Fault {
    /// Another one is given.
    Instead(Reply),
    /// It breaks off after so many bytes.
    Cut(usize),
    /// The whole file is sent, whatever range was asked for.
    Whole,
    /// A header says something else.
    Header(&'static str, String),
}

pub struct Fake {
    files: BTreeMap<String, Vec<u8>>,
    state: Mutex<State>,
    storage: Mutex<Option<SocketAddr>>,
}

#[derive(Default)]
struct State {
    faults: VecDeque<(Who, String, Fault)>,
    seen: Vec<(Who, Request)>,
}

/// A hub, and a folder for a cache and a `models.lock`.
pub struct Scene {
    pub fake: Arc<Fake>,
    pub address: SocketAddr,
    pub folder: tempfile::TempDir,
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn git(bytes: &[u8]) -> String {
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", bytes.len()));
    hasher.update(bytes);
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// Weights of a length that takes several reads.
pub fn weights() -> Vec<u8> {
    (0..600_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).take(1_000_001).collect()
}

/// The files of a plain model.
pub fn model() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("config.json", br#"{"model_type":"owl"}"#.to_vec()),
        ("tokenizer.json", b"{}".to_vec()),
        ("README.md", b"an owl".to_vec()),
        ("pytorch_model.bin", b"pickle".to_vec()),
        ("model.safetensors", weights()),
    ]
}

fn large(name: &str) -> bool {
    name.starts_with("model") && !name.ends_with("json") || name == "pytorch_model.bin"
}

impl Scene {
    pub fn new(files: Vec<(&str, Vec<u8>)>) -> Self {
        let files = files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
        let fake = Arc::new(Fake { files, state: Mutex::default(), storage: Mutex::default() });
        let (hub, storage) = (fake.clone(), fake.clone());
        let storage = serve(move |request| storage.answer(Who::Storage, request));
        *fake.storage.lock().unwrap() = Some(storage);
        let address = serve(move |request| hub.answer(Who::Hub, request));
        Self { fake, address, folder: tempfile::tempdir().unwrap() }
    }

    /// The next answer of `who` to a request whose target contains `part` is spoilt.
    pub fn spoil(&self, who: Who, part: &str, fault: Fault) -> &Self {
        self.fake.state.lock().unwrap().faults.push_back((who, part.to_owned(), fault));
        self
    }

    /// Settings for this hub, with more variables.
    pub fn settings(&self, more: &[(&str, &str)]) -> HubSettings {
        let endpoint = format!("http://{}", self.address);
        let home = self.folder.path().join("home");
        let mut settings = HubSettings::from_variables(|name| match name {
            "HF_ENDPOINT" => Some(endpoint.clone()),
            "HF_HOME" => home.to_str().map(str::to_owned),
            _ => more.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
        })
        .unwrap();
        let (first_wait, longest_wait) = (Duration::from_millis(1), Duration::from_secs(2));
        settings.patience = Patience { tries: 3, first_wait, longest_wait, silence: Duration::from_secs(20) };
        settings
    }

    pub fn store_with(&self, more: &[(&str, &str)]) -> Store {
        Store::new(self.settings(more), &self.folder.path().join("data"))
    }

    pub fn store(&self) -> Store {
        self.store_with(&[])
    }

    pub fn pull(&self) -> Result<Snapshot, SourceError> {
        self.store().pull(&owl(), &mut |_| {})
    }

    /// The targets that `who` was asked for so far.
    pub fn asked(&self, who: Who) -> Vec<String> {
        self.requests(who).into_iter().map(|request| request.target).collect()
    }

    pub fn requests(&self, who: Who) -> Vec<Request> {
        let state = self.fake.state.lock().unwrap();
        state.seen.iter().filter(|(seen, _)| *seen == who).map(|(_, request)| request.clone()).collect()
    }

    /// The ranges that the storage was asked for.
    pub fn ranges(&self) -> Vec<Option<String>> {
        self.requests(Who::Storage).into_iter().map(|request| request.headers.get("range").cloned()).collect()
    }

    pub fn cache(&self) -> std::path::PathBuf {
        self.folder.path().join("home/hub/models--acme--owl")
    }
}

pub fn owl() -> HubModel {
    at("main")
}

pub fn at(revision: &str) -> HubModel {
    let (repository, revision) = (REPOSITORY.parse().unwrap(), revision.parse().unwrap());
    HubModel { repository, revision, sha256: BTreeMap::new() }
}

pub fn read(snapshot: &Snapshot, name: &str) -> Vec<u8> {
    std::fs::read(Path::new(&snapshot.folder).join(name)).unwrap()
}

impl Fake {
    fn answer(&self, who: Who, request: &Request) -> Reply {
        let fault = {
            let mut state = self.state.lock().unwrap();
            state.seen.push((who, request.clone()));
            let place = state.faults.iter().position(|(by, part, _)| *by == who && request.target.contains(part));
            place.and_then(|place| state.faults.remove(place)).map(|(.., fault)| fault)
        };
        match fault {
            None => self.right(who, request, false),
            Some(Fault::Instead(reply)) => reply,
            Some(Fault::Whole) => self.right(who, request, true),
            Some(Fault::Cut(after)) => Reply { cut_after: Some(after), ..self.right(who, request, false) },
            Some(Fault::Header(name, value)) => {
                let mut reply = self.right(who, request, false);
                reply.headers.retain(|(known, _)| *known != name);
                reply.with(name, &value)
            }
        }
    }

    fn right(&self, who: Who, request: &Request, whole: bool) -> Reply {
        let target = request.target.split('?').next().unwrap();
        if who == Who::Storage {
            let bytes = &self.files[target.trim_start_matches("/bytes/")];
            return ranged(request, bytes, whole);
        }
        let revisions = format!("/api/models/{REPOSITORY}/revision/");
        if let Some(revision) = target.strip_prefix(&revisions) {
            return match revision {
                "main" | "refs%2Fpr%2F2" | COMMIT => Reply::new(200, self.listing()),
                _ => Reply::new(404, "{}").with("x-error-code", "RevisionNotFound"),
            };
        }
        let resolved = format!("/{REPOSITORY}/resolve/{COMMIT}/");
        let Some(name) = target.strip_prefix(&resolved) else {
            return Reply::new(404, "{}").with("x-error-code", "RepoNotFound");
        };
        let Some(bytes) = self.files.get(name) else {
            return Reply::new(404, "{}").with("x-error-code", "EntryNotFound");
        };
        if large(name) {
            let place = format!("http://{}/bytes/{name}?signature=x", self.storage.lock().unwrap().unwrap());
            let etag = format!("\"{}\"", sha256(bytes));
            return Reply::new(302, "")
                .with("location", &place)
                .with("x-repo-commit", COMMIT)
                .with("x-linked-size", &bytes.len().to_string())
                .with("x-linked-etag", &etag);
        }
        ranged(request, bytes, whole).with("x-repo-commit", COMMIT).with("etag", &format!("\"{}\"", git(bytes)))
    }

    fn listing(&self) -> Vec<u8> {
        let sibling = |(name, bytes): (&String, &Vec<u8>)| {
            let mut sibling = json!({"rfilename": name, "size": bytes.len(), "blobId": git(bytes)});
            if large(name) {
                sibling["lfs"] = json!({"sha256": sha256(bytes), "size": bytes.len(), "pointerSize": 135});
            }
            sibling
        };
        let siblings: Vec<_> = self.files.iter().map(sibling).collect();
        json!({"sha": COMMIT, "siblings": siblings, "gated": false}).to_string().into_bytes()
    }
}

fn ranged(request: &Request, bytes: &[u8], whole: bool) -> Reply {
    let range = request.headers.get("range").filter(|_| !whole);
    let from: Option<usize> = range.and_then(|text| text.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match from {
        None => Reply::new(200, bytes),
        Some(from) if from >= bytes.len() => Reply::new(416, ""),
        Some(from) => {
            let content_range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            Reply::new(206, &bytes[from..]).with("content-range", &content_range)
        }
    }
}
