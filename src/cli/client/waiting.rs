//! Waiting for a job by asking.

use std::time::Duration;

use reqwest::Method;

use super::http::{Client, typed};
use super::jobs::Job;
use super::patience;
use super::problem::CliError;

/// Asks until the job is final; at first often, then every second.
pub async fn until_final(client: &Client, mut job: Job, seen: impl Fn(&Job)) -> Result<Job, CliError> {
    let mut pause = Duration::from_millis(50);
    seen(&job);
    while !job.is_final() {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
        let id = job.id.clone();
        let response = patience::send(client, async || Ok(client.request(Method::GET, &["jobs", &id]))).await?;
        job = typed(&client.read_json(response).await?)?;
        seen(&job);
    }
    Ok(job)
}
