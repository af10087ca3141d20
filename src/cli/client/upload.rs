//! One file to the server as one document, streamed from disk.

use std::path::Path;

use futures::TryStreamExt;
use indicatif::ProgressBar;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio_util::io::ReaderStream;

use super::files::{absolute, portable};
use super::http::{Client, typed};
use super::idempotency::{key, key_after, sha256_of_file};
use super::jobs::Job;
use super::patience;
use super::problem::CliError;

/// Documents of one file that were deleted and added anew within the life of a key; more than anybody does.
const REBIRTHS: usize = 50;

/// What all files of a run have in common.
#[derive(Debug)]
pub struct Plan {
    /// `collection`, `title`, `tags` and `metadata` as they were given.
    pub description: Map<String, Value>,
    /// The path is the document's `external_id`.
    pub external_id: bool,
    /// `Prefer: wait`, in seconds.
    pub wait_s: Option<u64>,
    /// Different for every run.
    pub run: String,
}

/// What the server has made of a file.
#[derive(Debug, Deserialize)]
pub struct Accepted {
    /// The document.
    pub document: Document,
    /// The job that works on it.
    pub job: Job,
}

/// A document, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Document {
    /// Its id.
    pub id: String,
    /// Its collection.
    pub collection: String,
    /// How far it has come.
    pub status: String,
}

/// Adds a file. A file that was added before with the same description is not added again, unless its document has been
/// deleted; one with an external id replaces its document.
pub async fn upload(client: &Client, plan: &Plan, path: &Path, bar: &ProgressBar) -> Result<Accepted, CliError> {
    let unreadable = |error: std::io::Error| CliError::Failed(format!("cannot be read: {error}"));
    let length = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if length == 0 {
        return Err(CliError::Failed("the file is empty".to_owned()));
    }
    let hashed = path.to_owned();
    let content = tokio::task::spawn_blocking(move || sha256_of_file(&hashed))
        .await
        .map_err(|error| CliError::Failed(error.to_string()))?
        .map_err(unreadable)?;
    let document = describe(plan, path);
    let collection = plan.description.get("collection").and_then(Value::as_str).unwrap_or_default();
    let run = if plan.external_id { &plan.run } else { "" };
    let mut key = key(collection, &absolute(path).to_string_lossy(), &content, &format!("{run}{document}"));
    let sent = Sent { client, plan, path, length, document: &document, bar };
    for _ in 0..REBIRTHS {
        let accepted = sent.post(&key).await?;
        if plan.external_id {
            return Ok(accepted);
        }
        // The answer may be an old one, which the key has brought back.
        match current(client, &accepted.document.id).await? {
            Some(document) => {
                return Ok(Accepted { document, ..accepted });
            }
            None => key = key_after(&key, &accepted.document.id),
        }
    }
    Err(CliError::Failed("its document was deleted each time it was added".to_owned()))
}

/// The JSON field of the form.
fn describe(plan: &Plan, path: &Path) -> Value {
    let mut document = plan.description.clone();
    if plan.external_id {
        document.insert("external_id".to_owned(), json!(portable(path)));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    document.insert("parts".to_owned(), json!([{"file": "file", "name": name}]));
    Value::Object(document)
}

/// The document as it is now; `None` when it is gone.
async fn current(client: &Client, id: &str) -> Result<Option<Document>, CliError> {
    let asked = async || Ok(client.request(Method::GET, &["documents", id]));
    let answer = match patience::send(client, asked).await {
        Ok(response) => client.read_json(response).await?,
        Err(error) if matches!(error.status(), Some(404 | 410)) => return Ok(None),
        // A key that may write but not read.
        Err(error) if error.status() == Some(403) => {
            return Ok(Some(Document { id: id.to_owned(), ..Document::default() }));
        }
        Err(error) => return Err(error),
    };
    let document: Document = typed(&answer)?;
    Ok((document.status != "deleting").then_some(document))
}

struct Sent<'a> {
    client: &'a Client,
    plan: &'a Plan,
    path: &'a Path,
    length: u64,
    document: &'a Value,
    bar: &'a ProgressBar,
}

impl Sent<'_> {
    async fn post(&self, key: &str) -> Result<Accepted, CliError> {
        let make = async || {
            let form = Form::new().text("document", self.document.to_string()).part("file", self.part().await?);
            let request = self.client.request(Method::POST, &["documents"]).header("Idempotency-Key", key);
            let request = match self.plan.wait_s {
                Some(seconds) => request.header("Prefer", format!("wait={seconds}")),
                None => request,
            };
            Ok(request.multipart(form))
        };
        let response = patience::send(self.client, make).await.map_err(|error| match error {
            CliError::Broken(text) => {
                CliError::Broken(format!("{text}; it may be larger than the server takes (server.max_body_bytes)"))
            }
            other => other,
        })?;
        typed(&self.client.read_json(response).await?)
    }

    async fn part(&self) -> Result<Part, CliError> {
        let file = tokio::fs::File::open(self.path).await;
        let file = file.map_err(|error| CliError::Failed(format!("cannot be read: {error}")))?;
        let bar = self.bar.clone();
        let bytes = ReaderStream::with_capacity(file, 64 * 1024).inspect_ok(move |chunk| bar.inc(chunk.len() as u64));
        // A file name makes the field a file; the name for people is in the description, where any letter is safe.
        Ok(Part::stream_with_length(Body::wrap_stream(bytes), self.length).file_name("file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_names_the_file() {
        let mut plan = Plan { description: Map::new(), external_id: true, wait_s: None, run: String::new() };
        plan.description.insert("tags".to_owned(), json!(["bike"]));
        let expected = json!({"tags": ["bike"], "external_id": "photos/räder.png", "parts": [{"file": "file", "name": "räder.png"}]});
        assert_eq!(describe(&plan, Path::new("./photos/räder.png")), expected);
        plan.external_id = false;
        assert_eq!(describe(&plan, Path::new("räder.png"))["external_id"], Value::Null);
    }
}
