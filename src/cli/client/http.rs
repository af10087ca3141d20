//! The HTTP client: URLs, the key, and refusals as [`CliError`].

use std::error::Error;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use super::connection::{ConnectionArgs, Server, is_loopback};
use super::problem::{CliError, Problem};

/// A server that can be asked.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    server: Server,
}

impl Client {
    /// Finds the server; nothing is sent yet.
    pub fn new(connection: &ConnectionArgs) -> Result<Self, CliError> {
        let server = connection.resolve()?;
        crate::tls::install_provider();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("sensorium/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(150));
        if is_loopback(&server.url) {
            builder = builder.no_proxy();
        }
        let http =
            builder.build().map_err(|error| CliError::Failed(format!("cannot set up HTTP: {}", reason(&error))))?;
        Ok(Self { http, server })
    }

    /// A request to `/v1/` and these segments, which are escaped.
    pub fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let mut url = self.server.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v1").extend(segments);
        }
        let request = self.http.request(method, url);
        match &self.server.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends; an answer that is no success is an error.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, CliError> {
        let response = request.send().await.map_err(|error| self.unsent(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(seconds);
        let body = response.text().await.unwrap_or_default();
        let mut problem = Problem::read(status.as_u16(), &body);
        problem.retry_after = retry_after;
        problem.hint = match status {
            StatusCode::UNAUTHORIZED => Some(self.server.hint_unauthorized.clone()),
            StatusCode::FORBIDDEN => {
                Some("the key is known but lacks the scope; `sensorium token` makes one with other scopes".to_owned())
            }
            _ => None,
        };
        Err(CliError::Problem(Box::new(problem)))
    }

    /// Sends, and reads the answer's JSON.
    pub async fn json(&self, request: RequestBuilder) -> Result<Value, CliError> {
        self.read_json(self.send(request).await?).await
    }

    /// Reads an answer's JSON; an empty body is null.
    pub async fn read_json(&self, response: Response) -> Result<Value, CliError> {
        let body = response.bytes().await.map_err(|error| self.lost(&error))?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|error| {
            CliError::Failed(format!(
                "{} answered what is not JSON ({error}); is it a Sensorium server?",
                self.server.url
            ))
        })
    }

    /// GET.
    pub async fn get(&self, segments: &[&str], query: &[(&str, String)]) -> Result<Value, CliError> {
        self.json(self.request(Method::GET, segments).query(query)).await
    }

    /// The error of an answer that broke off.
    pub fn lost(&self, error: &reqwest::Error) -> CliError {
        CliError::Broken(format!("the connection to {} broke off: {}", self.server.url, reason(error)))
    }

    fn unsent(&self, error: &reqwest::Error) -> CliError {
        if error.is_builder() {
            return CliError::Failed(format!("cannot make the request: {}", reason(error)));
        }
        if error.is_connect() {
            let detail = format!("cannot connect to {}: {}", self.server.url, reason(error));
            return CliError::NoConnection { detail, hint: self.server.hint_unreachable.clone() };
        }
        self.lost(error)
    }
}

/// Reads an answer into a type.
pub fn typed<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, CliError> {
    T::deserialize(value).map_err(|error| CliError::Failed(format!("the server's answer is not as expected: {error}")))
}

/// The innermost cause: "connection refused" and not "error sending request".
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// `Retry-After` in seconds; the form with a date is not used by this server.
fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}
