//! Following a job by its events.

use std::time::Duration;

use futures::StreamExt;
use indicatif::ProgressBar;
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::Value;

use super::add::bar;
use super::http::{Client, typed};
use super::jobs::Job;
use super::output;
use super::patience;
use super::problem::{CliError, Exit};
use super::sse::{Event, Parser};

/// Connections that may break in a row without news before we give up.
const BREAKS: u32 = 8;

/// Follows a job to its end and takes the thread up again where a connection broke. With `json` each change is told on
/// stdout, else a bar on stderr shows it.
pub async fn follow(client: &Client, id: &str, json: bool) -> Result<Job, CliError> {
    let bar = bar(0, "{msg:12!} {wide_bar} {pos}/{len} {elapsed}");
    let mut thread = Thread { json, bar, last_id: None, job: None };
    let mut breaks = 0;
    loop {
        let seen = thread.last_id.clone();
        let result = thread.listen(client, id).await;
        if let Some(job) = thread.job.take_if(|job| job.is_final()) {
            thread.bar.finish_and_clear();
            return Ok(job);
        }
        breaks = if thread.last_id == seen { breaks + 1 } else { 1 };
        match result {
            // Without any news so far it is no broken thread: the server is not there.
            Err(error) if thread.last_id.is_none() || breaks > BREAKS || error.exit() != Exit::NoConnection => {
                return Err(error);
            }
            Ok(()) if breaks > BREAKS => {
                return Err(CliError::Failed(format!(
                    "the events of {id} end before the job does; `sensorium jobs get {id}` shows it"
                )));
            }
            _ => tokio::time::sleep(Duration::from_millis(250) * 2u32.pow(breaks.min(5))).await,
        }
    }
}

struct Thread {
    json: bool,
    bar: ProgressBar,
    last_id: Option<String>,
    job: Option<Job>,
}

impl Thread {
    /// Listens until the stream ends or the job does.
    async fn listen(&mut self, client: &Client, id: &str) -> Result<(), CliError> {
        let last_id = self.last_id.clone();
        let make = async || {
            let request = client.request(Method::GET, &["jobs", id, "events"]).header(ACCEPT, "text/event-stream");
            Ok(match &last_id {
                Some(last_id) => request.header("Last-Event-ID", last_id),
                None => request,
            })
        };
        let mut chunks = patience::send(client, make).await?.bytes_stream();
        let mut parser = Parser::default();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| client.lost(&error))?;
            for event in parser.push(&chunk) {
                self.take(event)?;
            }
            if self.job.as_ref().is_some_and(Job::is_final) {
                break;
            }
        }
        Ok(())
    }

    fn take(&mut self, event: Event) -> Result<(), CliError> {
        if event.kind != "job" {
            return Ok(());
        }
        let unreadable = |error| CliError::Failed(format!("an event of the server is not JSON: {error}"));
        let body: Value = serde_json::from_str(&event.data).map_err(unreadable)?;
        let job: Job = typed(&body)?;
        if self.json {
            output::json_line(&body)?;
        }
        self.bar.set_length(job.progress.total);
        self.bar.set_position(job.progress.done);
        self.bar.set_message(job.stage().to_owned());
        self.last_id = event.id;
        self.job = Some(job);
        Ok(())
    }
}
