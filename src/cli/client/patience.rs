//! Waiting when a server is busy: 429 and 503, and 409 while the first request with the same key still runs. A connection
//! that broke off is tried once more: what is sent here may be sent twice.

use std::time::Duration;

use reqwest::{RequestBuilder, Response};

use super::http::Client;
use super::problem::CliError;

/// Tries in all.
const TRIES: u32 = 8;
/// The longest single wait. A server that asks for more is not waited for.
const LONGEST: Duration = Duration::from_mins(1);

/// Sends what `make` makes, again after a while when the server is busy. `make` is called for every try, because a body
/// that is streamed from disk can be sent once only.
pub async fn send(
    client: &Client,
    make: impl AsyncFn() -> Result<RequestBuilder, CliError>,
) -> Result<Response, CliError> {
    let mut tries = 1;
    loop {
        match client.send(make().await?).await {
            Ok(response) => return Ok(response),
            Err(error) => match delay(&error, tries) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            },
        }
        tries += 1;
    }
}

/// How long to wait before the next try; `None` when there is none.
pub fn delay(error: &CliError, tries: u32) -> Option<Duration> {
    let problem = match error {
        CliError::Problem(problem) => problem,
        CliError::Broken(_) if tries == 1 => return Some(Duration::from_millis(500)),
        _ => return None,
    };
    let busy = match problem.status {
        429 | 503 => true,
        409 => problem.retry_after.is_some(),
        _ => false,
    };
    let doubling = Duration::from_millis(500) * 2u32.saturating_pow(tries - 1);
    let pause = problem.retry_after.unwrap_or(doubling);
    (busy && tries < TRIES && pause <= LONGEST).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::super::problem::Problem;
    use super::*;

    fn refused(status: u16, retry_after: Option<u64>) -> CliError {
        let retry_after = retry_after.map(Duration::from_secs);
        CliError::Problem(Box::new(Problem { status, retry_after, ..Problem::default() }))
    }

    #[test]
    fn the_server_says_how_long() {
        assert_eq!(delay(&refused(429, Some(3)), 1), Some(Duration::from_secs(3)));
        assert_eq!(delay(&refused(409, Some(1)), 1), Some(Duration::from_secs(1)));
        assert_eq!(delay(&refused(503, None), 3), Some(Duration::from_secs(2)));
    }

    #[test]
    fn patience_ends() {
        assert_eq!(delay(&refused(429, Some(1)), TRIES), None);
        assert_eq!(delay(&refused(429, Some(3600)), 1), None);
        assert_eq!(delay(&refused(422, Some(1)), 1), None);
        assert_eq!(delay(&refused(409, None), 1), None);
        assert_eq!(delay(&CliError::Usage(String::new()), 1), None);
    }

    #[test]
    fn what_broke_off_is_tried_once_more() {
        let broken = CliError::Broken(String::new());
        assert!(delay(&broken, 1).is_some());
        assert_eq!(delay(&broken, 2), None);
    }
}
