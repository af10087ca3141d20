//! Where the hub is, who asks, and where its files are kept: the variables that the tools of Hugging Face read.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::error::SourceError;

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// How to reach the hub.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// `HF_ENDPOINT`.
    pub endpoint: Url,
    /// `HF_TOKEN`, or the token that `hf auth login` has stored.
    pub token: Option<Token>,
    /// `HF_HUB_OFFLINE` (or `TRANSFORMERS_OFFLINE`): nothing is asked, only the cache is read.
    pub offline: bool,
    /// `HF_HUB_CACHE`, or `hub` in `HF_HOME`: the cache that all tools of the hub share.
    pub cache: PathBuf,
    /// What to do about failures that pass.
    pub patience: Patience,
}

/// What to do about failures that pass: cut connections, 429 and 5xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Tries in a row that bring nothing, before it is an error.
    pub tries: u32,
    /// The wait after the first failure; doubles with each that follows.
    pub first_wait: Duration,
    /// The longest wait. A hub that asks for a longer one is not waited for.
    pub longest_wait: Duration,
    /// The longest silence of an open connection.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 6,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_mins(1),
            silence: Duration::from_secs(30),
        }
    }
}

/// A secret; it never appears in messages.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl HubSettings {
    /// Reads the process's variables.
    pub fn from_environment() -> Result<Self, SourceError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Reads variables; empty ones count as unset.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SourceError> {
        let variable =
            |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let home = variable("HF_HOME").map_or_else(
            || {
                let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
                let cache = cache.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")));
                cache.unwrap_or_else(std::env::temp_dir).join("huggingface")
            },
            PathBuf::from,
        );
        let cache = variable("HF_HUB_CACHE").or_else(|| variable("HUGGINGFACE_HUB_CACHE"));
        let true_word = |value: String| matches!(value.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE");
        let is_set = |name: &str| variable(name).is_some_and(true_word);
        let stored = || {
            if is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
                return None;
            }
            let path = variable("HF_TOKEN_PATH").map_or_else(|| home.join("token"), PathBuf::from);
            let text = std::fs::read_to_string(path).ok()?;
            Some(text.trim().to_owned()).filter(|token| !token.is_empty())
        };
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        Ok(Self {
            endpoint: parse_endpoint(&endpoint)?,
            token: variable("HF_TOKEN").or_else(stored).map(Token),
            offline: is_set("HF_HUB_OFFLINE") || is_set("TRANSFORMERS_OFFLINE"),
            cache: cache.map_or_else(|| home.join("hub"), PathBuf::from),
            patience: Patience::default(),
        })
    }
}

/// An endpoint may have a path, as mirrors do.
fn parse_endpoint(text: &str) -> Result<Url, SourceError> {
    let wrong = || SourceError::Endpoint { text: text.to_owned() };
    let mut url = Url::parse(text).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || url.query().is_some() {
        return Err(wrong());
    }
    let folder = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&folder);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<HubSettings, SourceError> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        HubSettings::from_variables(find)
    }

    #[test]
    fn the_variables_of_the_hub_are_honoured() {
        let plain = read(&[("HOME", "/home/a")]).unwrap();
        assert_eq!(plain.endpoint.as_str(), "https://huggingface.co/");
        assert_eq!(plain.cache, PathBuf::from("/home/a/.cache/huggingface/hub"));
        assert!(!plain.offline && plain.token.is_none());
        let set = read(&[
            ("HF_HOME", "/m"),
            ("HF_TOKEN", "hf_x\n"),
            ("HF_HUB_OFFLINE", "1"),
            ("HF_ENDPOINT", "http://h:8/m"),
        ]);
        let set = set.unwrap();
        assert_eq!((set.endpoint.as_str(), set.cache), ("http://h:8/m/", PathBuf::from("/m/hub")));
        assert_eq!(set.token.as_ref().map(Token::secret), Some("hf_x"));
        assert!(set.offline && !format!("{:?}", set.token).contains("hf_x"));
        assert_eq!(read(&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/m")]).unwrap().cache, PathBuf::from("/c"));
        assert!(read(&[("HF_ENDPOINT", "huggingface.co")]).is_err());
    }

    #[test]
    fn a_stored_token_is_taken_unless_that_is_forbidden() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token"), "hf_stored\n").unwrap();
        let home = home.path().to_str().unwrap();
        let stored = read(&[("HF_HOME", home)]).unwrap().token;
        assert_eq!(stored.as_ref().map(Token::secret), Some("hf_stored"));
        let forbidden = read(&[("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).unwrap();
        assert_eq!(forbidden.token, None);
    }
}
