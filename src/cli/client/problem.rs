//! What can go wrong in a client command, how it is told, and the exit codes.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::output::clean;

/// How a command ended, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: all is well.
    Done,
    /// 1: something, or some of it, failed.
    Failed,
    /// 2: the command line is wrong.
    Usage,
    /// 3: no server could be reached.
    NoConnection,
    /// 4: a search found nothing, and `--fail-empty` was given.
    Empty,
}

impl Exit {
    /// The code of the process.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoConnection => 3,
            Self::Empty => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Prints what went wrong, if anything, on stderr and gives the code of the process.
pub fn finish(result: Result<Exit, CliError>) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            if !matches!(error, CliError::OutputClosed) {
                eprintln!("error: {error}");
            }
            error.exit().into()
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CliError {
    /// The command line asks for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// No server could be reached: what happened, and what to do next.
    #[error("{detail}\n  hint: {hint}")]
    NoConnection {
        /// What happened.
        detail: String,
        /// What to do next.
        hint: String,
    },
    /// A connection was there and broke off before the answer was complete.
    #[error("{0}")]
    Broken(String),
    /// The server refused.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// Something on this side, or an answer that cannot be read.
    #[error("{0}")]
    Failed(String),
    /// Whoever read our output has gone (`sensorium search x | head -1`); nothing is wrong.
    #[error("the output was closed")]
    OutputClosed,
}

impl CliError {
    /// The exit code that tells of it.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::NoConnection { .. } | Self::Broken(_) => Exit::NoConnection,
            Self::Problem(_) | Self::Failed(_) => Exit::Failed,
            Self::OutputClosed => Exit::Done,
        }
    }

    /// The HTTP status, when the server refused.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            _ => None,
        }
    }
}

/// An answer of RFC 9457.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The kind of problem.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened.
    pub detail: String,
    /// For programs.
    pub code: String,
    /// Names the request in the server's log.
    pub request_id: String,
    /// Every fault with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// When the server wants to be asked again.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
    /// What the user can do about it.
    #[serde(skip)]
    pub hint: Option<String>,
}

/// One fault of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fault {
    /// Where in the request.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

impl Problem {
    /// Reads the body of a refusal; a body that is no problem (a proxy's page) is shown as it is.
    pub fn read(status: u16, body: &str) -> Self {
        let mut problem = serde_json::from_str::<Self>(body)
            .ok()
            .filter(|problem| !problem.title.is_empty())
            .unwrap_or_else(|| Self {
                title: "The server refused".to_owned(),
                detail: clean(body.trim()).chars().take(300).collect(),
                ..Self::default()
            });
        problem.status = status;
        problem
    }

    /// In one line, for lists.
    pub fn line(&self) -> String {
        let text = if self.detail.is_empty() { &self.title } else { &self.detail };
        let faults = self.errors.iter().filter(|fault| !text.contains(&fault.detail));
        faults.fold(clean(text), |line, fault| format!("{line}; {}", clean(&fault.detail)))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", clean(&self.title), self.status)?;
        if !self.detail.is_empty() {
            write!(f, "\n  {}", clean(&self.detail))?;
        }
        for fault in &self.errors {
            let pointer = if fault.pointer.is_empty() { "/" } else { &fault.pointer };
            write!(f, "\n  {}: {}", clean(pointer), clean(&fault.detail))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        if !self.request_id.is_empty() {
            write!(f, "\n  request: {}", clean(&self.request_id))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_tells_every_fault_and_its_request() {
        let body = r#"{"type":"/problems/invalid","title":"Invalid request","status":422,"detail":"1 fault","code":"invalid",
            "instance":"/v1/search","request_id":"req_1","errors":[{"pointer":"/inputs/0/weight","detail":"0 is not a weight"}]}"#;
        let text = Problem::read(422, body).to_string();
        assert_eq!(text, "Invalid request (422)\n  1 fault\n  /inputs/0/weight: 0 is not a weight\n  request: req_1");
    }

    #[test]
    fn a_page_of_a_proxy_is_shown_without_control_characters() {
        let problem = Problem::read(502, "<h1>Bad\u{1b}[2J gateway</h1>");
        assert_eq!(problem.to_string(), "The server refused (502)\n  <h1>Bad [2J gateway</h1>");
    }

    #[test]
    fn exit_codes_are_those_of_the_manual() {
        assert_eq!(CliError::Usage(String::new()).exit().code(), 2);
        let lost = CliError::NoConnection { detail: String::new(), hint: String::new() };
        assert_eq!(lost.exit().code(), 3);
        assert_eq!(CliError::Problem(Box::default()).exit().code(), 1);
        assert_eq!(CliError::OutputClosed.exit().code(), 0);
    }
}
