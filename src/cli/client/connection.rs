//! Which server, and with which key: from flags and variables, else the one that runs in the data folder.

use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Url;
use serde::Deserialize;

use crate::data_folder::KEY;

use super::problem::CliError;

/// Flags of every client command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArgs {
    /// The server's URL; without it the server that runs in the data folder
    #[arg(long, env = "SENSORIUM_URL", value_name = "URL", global = true)]
    pub url: Option<String>,
    /// The API key or token; without it a local server's own
    #[arg(long, env = "SENSORIUM_API_KEY", value_name = "KEY", hide_env_values = true, global = true)]
    pub key: Option<String>,
    /// The folder in which a local server is looked for [default: ./data]
    #[arg(long, env = "SENSORIUM_DATA_DIR", value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
}

/// A server, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its base URL.
    pub url: Url,
    /// The bearer token, if there is one.
    pub key: Option<String>,
    /// What to do when it does not answer.
    pub hint_unreachable: String,
    /// What to do when it refuses the key.
    pub hint_unauthorized: String,
}

/// What a running server writes into its data folder.
#[derive(Debug, Deserialize)]
struct Running {
    url: String,
}

impl ConnectionArgs {
    /// Finds the server.
    pub fn resolve(&self) -> Result<Server, CliError> {
        let data_dir = self.data_dir.clone().unwrap_or_else(|| {
            let configured = std::env::var_os("SENSORIUM__STORAGE__DATA_DIR").filter(|dir| !dir.is_empty());
            PathBuf::from(configured.unwrap_or_else(|| "data".into()))
        });
        let (url, hint_unreachable) = match given(self.url.as_deref()) {
            Some(text) => (parse_url(text)?, "check --url or SENSORIUM_URL, and that the server runs".to_owned()),
            None => running(&data_dir)?,
        };
        let (key, hint_unauthorized) = match given(self.key.as_deref()) {
            Some(key) => (Some(key.to_owned()), "the server refused the key of --key or SENSORIUM_API_KEY".to_owned()),
            None => local_key(&url, &data_dir),
        };
        if key.as_ref().is_some_and(|key| !key.chars().all(|c| c.is_ascii_graphic())) {
            return Err(CliError::Usage("the key holds characters that no key has".to_owned()));
        }
        Ok(Server { url, key, hint_unreachable, hint_unauthorized })
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn parse_url(text: &str) -> Result<Url, CliError> {
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&with_scheme).map_err(|error| CliError::Usage(format!("\"{text}\" is not a URL: {error}")))?;
    match url.scheme() {
        "http" if url.has_host() => Ok(url),
        "https" => Err(CliError::Usage(format!(
            "\"{text}\": this program speaks plain http only; reach the server without TLS, for example through a tunnel (ssh -L 8080:127.0.0.1:8080 HOST) and http://127.0.0.1:8080"
        ))),
        _ => Err(CliError::Usage(format!("\"{text}\" is not an http:// URL"))),
    }
}

/// The server that says in the data folder that it runs.
fn running(data_dir: &Path) -> Result<(Url, String), CliError> {
    let path = data_dir.join("server.json");
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let detail = match error.kind() {
            std::io::ErrorKind::NotFound => format!("no server runs here: there is no {}", path.display()),
            _ => format!("cannot read {}: {error}", path.display()),
        };
        let hint = "start one with `sensorium serve`, or name one with --url (SENSORIUM_URL) or its folder with --data-dir (SENSORIUM_DATA_DIR)";
        CliError::NoConnection { detail, hint: hint.to_owned() }
    })?;
    let broken = |what: String| CliError::NoConnection {
        detail: format!("{} cannot be understood: {what}", path.display()),
        hint: "restart the server, which writes the file anew, or name it with --url".to_owned(),
    };
    let running: Running = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    let url = parse_url(&running.url).map_err(|error| broken(error.to_string()))?;
    let hint =
        format!("{} names it, so it has stopped without a farewell: start it with `sensorium serve`", path.display());
    Ok((url, hint))
}

/// The key of a local server. It is never sent to another machine.
fn local_key(url: &Url, data_dir: &Path) -> (Option<String>, String) {
    let path = data_dir.join(KEY);
    if !is_loopback(url) {
        return (None, "no key was sent: give --key or set SENSORIUM_API_KEY".to_owned());
    }
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let hint = format!(
                "the server refused the key in {}: is it another server's folder? Name its own with --data-dir",
                path.display()
            );
            (given(Some(&text)).map(str::to_owned), hint)
        }
        Err(error) => {
            let hint =
                format!("no key was sent ({}: {error}): give --key, SENSORIUM_API_KEY or --data-dir", path.display());
            (None, hint)
        }
    }
}

/// Whether the host is this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn folder(files: &[(&str, &str)]) -> std::io::Result<tempfile::TempDir> {
        let folder = tempfile::tempdir()?;
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text)?;
        }
        Ok(folder)
    }

    fn connection(url: Option<&str>, key: Option<&str>, data_dir: &Path) -> ConnectionArgs {
        ConnectionArgs { url: url.map(str::to_owned), key: key.map(str::to_owned), data_dir: Some(data_dir.to_owned()) }
    }

    const RUNNING: (&str, &str) = ("server.json", r#"{"url":"http://127.0.0.1:8080","pid":123}"#);

    #[test]
    fn a_local_server_is_found_with_its_key() -> Outcome {
        let folder = folder(&[RUNNING, ("key", "sk-1\n")])?;
        let server = connection(None, None, folder.path()).resolve()?;
        assert_eq!(server.url.as_str(), "http://127.0.0.1:8080/");
        assert_eq!(server.key.as_deref(), Some("sk-1"));
        Ok(())
    }

    #[test]
    fn what_is_given_goes_first_and_empty_is_not_given() -> Outcome {
        let folder = folder(&[RUNNING, ("key", "sk-1")])?;
        let server = connection(Some("localhost:9000"), Some("mine"), folder.path()).resolve()?;
        assert_eq!((server.url.as_str(), server.key.as_deref()), ("http://localhost:9000/", Some("mine")));
        let server = connection(Some(""), Some(" "), folder.path()).resolve()?;
        assert_eq!((server.url.as_str(), server.key.as_deref()), ("http://127.0.0.1:8080/", Some("sk-1")));
        Ok(())
    }

    #[test]
    fn a_local_key_stays_on_this_machine() -> Outcome {
        let folder = folder(&[("key", "sk-1")])?;
        assert_eq!(connection(Some("http://example.com"), None, folder.path()).resolve()?.key, None);
        let near = connection(Some("http://[::1]:8080"), None, folder.path()).resolve()?;
        assert_eq!(near.key.as_deref(), Some("sk-1"));
        Ok(())
    }

    #[test]
    fn faults_say_what_to_do() -> Outcome {
        let folder = folder(&[])?;
        let missing = connection(None, None, folder.path()).resolve();
        assert!(
            matches!(&missing, Err(CliError::NoConnection { hint, .. }) if hint.contains("sensorium serve")),
            "{missing:?}"
        );
        let secure = connection(Some("https://example.com"), None, folder.path()).resolve();
        assert!(matches!(&secure, Err(CliError::Usage(text)) if text.contains("plain http")), "{secure:?}");
        let other = connection(Some("ftp://example.com"), None, folder.path()).resolve();
        assert!(matches!(other, Err(CliError::Usage(_))));
        let key = connection(Some("http://example.com"), Some("a\nb"), folder.path()).resolve();
        assert!(matches!(key, Err(CliError::Usage(_))));
        Ok(())
    }
}
