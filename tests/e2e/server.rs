//! The real program as a child process with a data folder of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Api;

/// How long anything may take before a test gives up. Generous: machines are slow and busy at times.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// The repository's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program, without what the caller's environment says about servers. Where the models are is left as it is.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sensorium"));
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("SENSORIUM") && !text.starts_with("SENSORIUM__PROFILE__") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs the program to its end.
pub async fn run(arguments: &[&str]) -> Output {
    let mut command = program();
    command.args(arguments).stdin(Stdio::null());
    finish(command).await
}

/// Runs a command to its end without keeping other tasks waiting.
pub async fn finish(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Asks until there is an answer.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A running server. It is killed when dropped.
pub struct Server {
    folder: TempDir,
    settings: Vec<(String, String)>,
    process: Child,
    url: String,
    http: reqwest::Client,
}

impl Server {
    /// With the defaults, on a free port and an empty data folder.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With options from the environment, written `section.key`.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A busy machine is no reason to fail.
        let patient = [("encoder.interactive_deadline_ms", "60000"), ("search.max_waiting", "1000")];
        let settings: Vec<_> =
            patient.iter().chain(settings).map(|(key, value)| (variable(key), (*value).to_owned())).collect();
        let process = launch(folder.path(), &settings);
        sensorium::tls::install_provider();
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let mut server = Self { folder, settings, process, url: String::new(), http };
        server.wait_until_it_listens().await;
        server
    }

    async fn wait_until_it_listens(&mut self) {
        let announcement = self.data_dir().join("server.json");
        let log = self.log_file();
        let process = &mut self.process;
        self.url = eventually("the server listens", async || {
            if let Some(status) = process.try_wait().unwrap() {
                panic!("the server ended with {status}:\n{}", fs::read_to_string(&log).unwrap_or_default());
            }
            let announced: Value = serde_json::from_str(&fs::read_to_string(&announcement).ok()?).ok()?;
            (announced["pid"] == process.id()).then(|| announced["url"].as_str().unwrap().to_owned())
        })
        .await;
    }

    /// The folder with everything that the server keeps.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The data folder as an argument.
    pub fn data_dir_text(&self) -> String {
        self.data_dir().display().to_string()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What the server has logged, all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// SIGKILL: no farewell.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts again after [`Server::kill`] or [`Server::stop`].
    pub async fn restart(&mut self) {
        self.process = launch(self.folder.path(), &self.settings);
        self.wait_until_it_listens().await;
    }

    /// SIGTERM: the shutdown as users do it.
    pub async fn stop(&mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let process = &mut self.process;
        eventually("the server stops", async || process.try_wait().unwrap()).await
    }

    /// Runs a command of the program against this server's data folder.
    pub async fn command(&self, arguments: &[&str]) -> Output {
        let mut command = program();
        command.args(arguments).arg("--data-dir").arg(self.data_dir()).stdin(Stdio::null());
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        finish(command).await
    }

    /// A client with no credentials.
    pub fn stranger(&self) -> Api {
        Api::new(self.http.clone(), &self.url, None)
    }

    /// A client with these credentials.
    pub fn with_credentials(&self, credentials: &str) -> Api {
        Api::new(self.http.clone(), &self.url, Some(credentials.to_owned()))
    }

    /// The owner of the first key.
    pub fn owner(&self) -> Api {
        self.with_credentials(fs::read_to_string(self.data_dir().join("key")).unwrap().trim())
    }

    /// A client of a tenant that may do everything but administer.
    pub fn tenant(&self, name: &str) -> Api {
        self.with_scopes(name, "read write caption")
    }

    /// A client of a tenant with these scopes.
    pub fn with_scopes(&self, tenant: &str, scopes: &str) -> Api {
        self.with_credentials(&self.token(&json!({"tenant": tenant, "scope": scopes, "exp": now_s() + 3600})))
    }

    /// A token signed with the server's own secret.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(fs::read_to_string(self.data_dir().join("hs256-secret")).unwrap().trim(), claims)
    }

    /// A token signed with a secret that the settings name.
    #[allow(clippy::unused_self)] // reads as the other one does
    pub fn token_with(&self, secret: &str, claims: &Value) -> String {
        jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    }

    /// Files in the blob folder of a tenant.
    pub fn stored_blobs(&self, tenant: &str) -> usize {
        let folder = self.data_dir().join("blobs");
        let files = walkdir::WalkDir::new(folder)
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file());
        files.filter(|entry| entry.path().components().any(|step| step.as_os_str() == tenant)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Seconds since 1970.
pub fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn variable(key: &str) -> String {
    format!("SENSORIUM__{}", key.to_uppercase().replacen('.', "__", 1))
}

fn launch(folder: &Path, settings: &[(String, String)]) -> Child {
    let data = folder.join("data");
    fs::remove_file(data.join("server.json")).ok();
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data);
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}
