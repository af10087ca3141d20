//! What became of each file that `add` took, and the summary.

use serde::Serialize;

use super::jobs::Job;
use super::output::{counted, line};
use super::problem::{CliError, Exit, Problem};
use super::table;
use super::upload::Accepted;

/// Rows of files without a fault that a summary lists; with more only the counts are shown.
const LISTED: usize = 20;

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Safe on the server; a job is on it.
    Accepted,
    /// Found by searches.
    Ready,
    /// Some parts are found, at least one is not.
    Partial,
    /// Nothing of it is found.
    Failed,
    /// The server, or this system, did not take it.
    Refused,
}

/// What became of a file.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The path as it was named.
    pub path: String,
    /// How far it has come.
    pub status: Status,
    /// The document's id.
    pub document: Option<String>,
    /// The job's id.
    pub job: Option<String>,
    /// Segments it has been cut into.
    pub segments: u64,
    /// Segments whose vectors were known before.
    pub reused: u64,
    /// What went wrong, a line each.
    pub errors: Vec<String>,
    /// The server's refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

impl Outcome {
    /// Of a file that was not taken.
    pub fn refused(path: String, error: &CliError) -> Self {
        let (line, problem) = match error {
            CliError::Problem(problem) => (problem.line(), Some((**problem).clone())),
            other => (other.to_string(), None),
        };
        let errors = vec![line];
        Self { path, status: Status::Refused, document: None, job: None, segments: 0, reused: 0, errors, problem }
    }

    /// Of a file that was taken.
    pub fn accepted(path: String, accepted: &Accepted) -> Self {
        let outcome = Self {
            path,
            status: Status::Accepted,
            document: Some(accepted.document.id.clone()),
            job: Some(accepted.job.id.clone()),
            segments: 0,
            reused: 0,
            errors: Vec::new(),
            problem: None,
        };
        let mut outcome = outcome.with_job(&accepted.job);
        match accepted.document.status.as_str() {
            "ready" => outcome.status = Status::Ready,
            "partial" => outcome.status = Status::Partial,
            "failed" => outcome.status = Status::Failed,
            _ => {}
        }
        outcome
    }

    /// With what the job has come to.
    pub fn with_job(mut self, job: &Job) -> Self {
        (self.segments, self.reused) = (job.progress.segments, job.progress.reused);
        self.errors = job.errors();
        self.status = match job.state.as_str() {
            "succeeded" if self.errors.is_empty() => Status::Ready,
            "succeeded" if job.parts.iter().any(|part| part.error.is_none()) => Status::Partial,
            "succeeded" | "failed" | "cancelled" => Status::Failed,
            _ => Status::Accepted,
        };
        self
    }

    fn good(&self) -> bool {
        self.errors.is_empty() && matches!(self.status, Status::Accepted | Status::Ready)
    }
}

/// The exit code of a run.
pub fn exit(outcomes: &[Outcome]) -> Exit {
    if outcomes.iter().all(Outcome::good) { Exit::Done } else { Exit::Failed }
}

/// Prints the table: every file of a small run, the faults of a large one, and the counts.
pub fn print(outcomes: &[Outcome]) -> Result<(), CliError> {
    let all = outcomes.len() <= LISTED;
    let rows: Vec<_> = outcomes.iter().filter(|outcome| all || !outcome.good()).map(row).collect();
    if !rows.is_empty() {
        table::print(&["status", "segments", "document", "file", "error"], &[1], rows, "")?;
        line("")?;
    }
    line(&counts(outcomes))
}

fn row(outcome: &Outcome) -> Vec<String> {
    let segments = if outcome.segments > 0 { outcome.segments.to_string() } else { String::new() };
    let document = outcome.document.clone().unwrap_or_default();
    vec![word(outcome.status).to_owned(), segments, document, outcome.path.clone(), outcome.errors.join("; ")]
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Accepted => "accepted",
        Status::Ready => "ready",
        Status::Partial => "partial",
        Status::Failed => "failed",
        Status::Refused => "refused",
    }
}

fn counts(outcomes: &[Outcome]) -> String {
    let all = [Status::Accepted, Status::Ready, Status::Partial, Status::Failed, Status::Refused];
    let counts = all.map(|status| (outcomes.iter().filter(|outcome| outcome.status == status).count(), status));
    let told: Vec<_> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, status)| format!("{count} {}", word(*status)))
        .collect();
    let segments: u64 = outcomes.iter().map(|outcome| outcome.segments).sum();
    let reused: u64 = outcomes.iter().map(|outcome| outcome.reused).sum();
    let known = if reused > 0 { format!(", {reused} known before") } else { String::new() };
    let cut = if segments > 0 { format!("; {}{known}", counted(segments as usize, "segment")) } else { String::new() };
    format!("{}: {}{cut}", counted(outcomes.len(), "file"), told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(job: &str) -> Result<Outcome, serde_json::Error> {
        let accepted = format!(r#"{{"document":{{"id":"doc_1","status":"processing"}},"job":{job}}}"#);
        Ok(Outcome::accepted("a.png".to_owned(), &serde_json::from_str(&accepted)?))
    }

    #[test]
    fn a_run_with_a_bad_part_has_failed() -> Result<(), serde_json::Error> {
        let good = outcome(
            r#"{"id":"job_1","state":"succeeded","progress":{"segments":3,"reused":1},"parts":[{"segments":3,"error":null}]}"#,
        )?;
        let partial = outcome(
            r#"{"id":"job_2","state":"succeeded","parts":[{"segments":3,"error":null},{"name":"b.png","error":{"code":"broken","detail":"cut off"}}]}"#,
        )?;
        assert_eq!((good.status, exit(std::slice::from_ref(&good))), (Status::Ready, Exit::Done));
        assert_eq!((partial.status, exit(std::slice::from_ref(&partial))), (Status::Partial, Exit::Failed));
        assert_eq!(partial.errors, ["b.png: cut off"]);
        assert_eq!(counts(&[good, partial]), "2 files: 1 ready, 1 partial; 3 segments, 1 known before");
        Ok(())
    }

    #[test]
    fn what_is_not_waited_for_is_accepted() -> Result<(), serde_json::Error> {
        let queued = outcome(r#"{"id":"job_1","state":"queued"}"#)?;
        assert_eq!(queued.status, Status::Accepted);
        assert_eq!(counts(&[queued]), "1 file: 1 accepted");
        Ok(())
    }
}
