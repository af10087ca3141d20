//! Requests to the hub: redirects by hand, failures told apart.
//!
//! Redirects are followed here, because the first answer carries what the hub knows of a file (commit, ETag) and the last one
//! carries its bytes, often from another host, which must never see the token.

use std::io::Read;
use std::time::Duration;

use ureq::http::{HeaderMap, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};
use url::Url;

use crate::error::SourceError;
use crate::repository::{Repository, Revision};
use crate::settings::{HubSettings, Patience, Token};

/// Steps of a redirect.
const MOST_REDIRECTS: usize = 8;
/// Bytes of a listing or another document that is read as a whole.
const LONGEST_DOCUMENT: u64 = 32 << 20;

/// Why a request brought nothing.
pub enum Failure {
    /// Trying again is of no use.
    Final(SourceError),
    /// It may work later; the hub may have said when.
    Passing {
        /// What to say when it never works.
        error: SourceError,
        /// What `Retry-After` said.
        after: Option<Duration>,
    },
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::Final(error)
    }
}

/// What was asked for, for messages.
#[derive(Clone, Copy)]
pub struct About<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// Its state.
    pub revision: &'a Revision,
    /// A file of it, or all of it.
    pub file: Option<&'a str>,
}

/// An answer with a body.
pub struct Answer {
    /// Headers of the hub's own answer, before any redirect.
    pub hub: HeaderMap,
    /// Status and headers of the answer that carries the body.
    pub last: Response<Body>,
    /// Who gave it.
    pub host: String,
}

impl Answer {
    /// A header of the hub's own answer.
    pub fn hub_header(&self, name: &str) -> Option<&str> {
        self.hub.get(name)?.to_str().ok()
    }

    /// The whole body, for short ones.
    pub fn document(mut self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let read = self.last.body_mut().as_reader().take(LONGEST_DOCUMENT + 1).read_to_end(&mut bytes);
        read.map_err(|error| broken(&self.host, &error))?;
        if bytes.len() as u64 > LONGEST_DOCUMENT {
            return Err(protocol(&self.host, &format!("more than {LONGEST_DOCUMENT} bytes")).into());
        }
        Ok(bytes)
    }
}

/// A connection that broke off.
pub fn broken(host: &str, reason: &dyn std::fmt::Display) -> Failure {
    let error = SourceError::Unreachable { host: host.to_owned(), reason: reason.to_string(), tries: 0 };
    Failure::Passing { error, after: None }
}

pub fn protocol(host: &str, found: &str) -> SourceError {
    SourceError::Protocol { host: host.to_owned(), found: found.to_owned() }
}

/// The hub over HTTP.
pub struct Http {
    agent: Agent,
    endpoint: Url,
    token: Option<Token>,
    pub(crate) patience: Patience,
}

impl Http {
    pub fn new(settings: &HubSettings) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("sensorium/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(settings.patience.silence))
            .timeout_recv_response(Some(settings.patience.silence))
            .timeout_per_read(Some(settings.patience.silence))
            .build();
        Self {
            agent: config.new_agent(),
            endpoint: settings.endpoint.clone(),
            token: settings.token.clone(),
            patience: settings.patience,
        }
    }

    /// The hub's address for messages.
    pub fn hub(&self) -> &str {
        self.endpoint.as_str().trim_end_matches('/')
    }

    /// The page of a repository.
    pub fn page(&self, repository: &Repository) -> String {
        format!("{}/{repository}", self.hub())
    }

    /// An address on the hub. Each piece is one step of the path, encoded as such.
    pub fn address(&self, pieces: &[&str]) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(pieces);
        }
        url
    }

    /// Asks for `url`, from byte `from` on where that is not 0, and follows redirects. The answer's status is 200 or 206.
    pub fn get(&self, url: &Url, from: u64, about: About) -> Result<Answer, Failure> {
        let mut url = url.clone();
        let mut hub = None;
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.send(&url, from)?;
            let host = url.host_str().unwrap_or_default().to_owned();
            let status = answer.status().as_u16();
            match status {
                200 | 206 => {
                    let hub = hub.unwrap_or_else(|| answer.headers().clone());
                    return Ok(Answer { hub, last: answer, host });
                }
                301 | 302 | 303 | 307 | 308 => {
                    let next = header(answer.headers(), "location").and_then(|place| url.join(place).ok());
                    let next = next.ok_or_else(|| protocol(&host, &format!("{status} without a place to go to")))?;
                    let lowered = url.scheme() == "https" && next.scheme() != "https";
                    if lowered || !matches!(next.scheme(), "http" | "https") {
                        return Err(protocol(&host, &format!("a redirect to {}://", next.scheme())).into());
                    }
                    hub.get_or_insert_with(|| answer.headers().clone());
                    url = next;
                }
                _ if url.origin() == self.endpoint.origin() => return Err(self.refusal(&host, &answer, about)),
                // Whoever stores the bytes answers so when a signed address has run out; the hub makes a new one.
                _ => return Err(failed(&host, &answer, Asked::Storage)),
            }
        }
        Err(protocol(self.hub(), "redirects without an end").into())
    }

    fn send(&self, url: &Url, from: u64) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(url.as_str());
        if let Some(token) = &self.token
            && url.origin() == self.endpoint.origin()
        {
            request = request.header("authorization", format!("Bearer {}", token.secret()));
        }
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        request.call().map_err(|error| broken(url.host_str().unwrap_or_default(), &error))
    }

    /// What the hub means by a status.
    fn refusal(&self, host: &str, answer: &Response<Body>, about: About) -> Failure {
        let About { repository, revision, file } = about;
        let code = header(answer.headers(), "x-error-code");
        let said = header(answer.headers(), "x-error-message").unwrap_or("no reason given");
        let with_token = self.token.is_some();
        let repository = repository.clone();
        let hub = self.hub().to_owned();
        let status = answer.status().as_u16();
        Failure::Final(match (status, code) {
            (401 | 403, Some("GatedRepo")) => {
                SourceError::Gated { page: self.page(&repository), repository, with_token }
            }
            (401 | 404, Some("RepoNotFound")) => SourceError::NoRepository { repository, hub, with_token },
            (404, Some("RevisionNotFound")) => {
                let page = format!("{}/tree/main", self.page(&repository));
                SourceError::NoRevision { repository, revision: revision.clone(), page }
            }
            (404, _) if file.is_some() => {
                let file = file.unwrap_or_default().to_owned();
                SourceError::NoFile { repository, revision: revision.to_string(), file }
            }
            (401 | 403, _) if with_token => SourceError::Token { repository, hub, said: printable(said) },
            (401 | 403 | 404, _) => SourceError::NoRepository { repository, hub, with_token },
            _ => return failed(host, answer, Asked::Hub),
        })
    }
}

/// Who answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The hub itself, whose refusals mean something.
    Hub,
    /// A host that only stores bytes.
    Storage,
}

/// 429 and 5xx pass; so does any refusal of a host that only stores.
fn failed(host: &str, answer: &Response<Body>, asked: Asked) -> Failure {
    let status = answer.status().as_u16();
    let after = header(answer.headers(), "retry-after").and_then(|text| text.trim().parse().ok());
    let error = match status {
        429 => SourceError::TooMany { hub: host.to_owned(), seconds: after },
        408 | 500.. => SourceError::ServerFailed { host: host.to_owned(), status, tries: 0 },
        _ if asked == Asked::Storage => SourceError::ServerFailed { host: host.to_owned(), status, tries: 0 },
        _ => return protocol(host, &format!("status {status}")).into(),
    };
    Failure::Passing { error, after: after.map(Duration::from_secs) }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What a stranger said, in one line without control characters.
fn printable(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
