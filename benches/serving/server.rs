//! The real program on a data folder, and requests to it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

use crate::machine;

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    url: String,
    key: String,
    client: Client,
    /// From the start of the process to the first 200 of `/readyz`.
    pub ready_after: Duration,
}

impl Server {
    /// Starts the program on `folder` and waits until it is ready.
    pub async fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[]).await
    }

    /// The same with options, written `section.key`.
    pub async fn start_with(folder: &Path, settings: &[(&str, String)]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let log = File::options().create(true).append(true).open(folder.join("bench.log")).expect("a log file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_sensorium"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SENSORIUM")) {
            command.env_remove(name);
        }
        for (key, value) in settings {
            command.env(format!("SENSORIUM__{}", key.to_uppercase().replacen('.', "__", 1)), value);
        }
        command.arg("serve").arg("--data-dir").arg(folder).arg("--listen").arg(address.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        sensorium::tls::install_provider();
        let client = Client::new();
        let url = format!("http://{address}");
        let begun = Instant::now();
        let mut child = command.spawn().expect("the program starts");
        loop {
            let answer = client.get(format!("{url}/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                break;
            }
            if let Some(status) = child.try_wait().expect("a process of ours") {
                let log = fs::read_to_string(folder.join("bench.log")).unwrap_or_default();
                panic!("the server ended ({status}):\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let ready_after = begun.elapsed();
        let key = fs::read_to_string(folder.join("key")).expect("the first key").trim().to_owned();
        Self { child, url, key, client, ready_after }
    }

    /// Resident memory in MiB.
    pub fn resident_mib(&self) -> f64 {
        machine::resident_mib(self.child.id())
    }

    /// A GET with the key.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    /// A POST with the key.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    /// Reads JSON from `path`.
    pub async fn json(&self, path: &str) -> Value {
        expect_success(self.get(path).send().await.expect("an answer")).await.json().await.expect("JSON")
    }

    /// Asks the server to stop and waits for its end.
    pub async fn stop(mut self) {
        let process = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &process]).status().expect("kill");
        while self.child.try_wait().expect("a process of ours").is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Where the sources are.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The answer, if it is a good one.
pub async fn expect_success(answer: Response) -> Response {
    let status = answer.status();
    assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap_or_default());
    answer
}
