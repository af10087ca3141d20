//! A real server: one that all tests on this machine share, or one of a test's own. `scripts/test-postgres` starts it,
//! and stops it when nobody holds the lock on its `users` file any more, however they ended.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use sensorium_catalog::{PostgresCatalog, PostgresOptions};
use sensorium_domain::contract::TestClock;
use sensorium_domain::contract::catalog::CatalogFixture;
use sensorium_domain::{Catalog, CatalogError};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/test-postgres");

/// A running server. The lock goes with the process.
pub struct Server {
    folder: PathBuf,
    url: String,
    _users: File,
}

impl Server {
    /// The server of all tests of this user.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| {
            let user = std::env::var("USER").unwrap_or_else(|_| "anybody".to_owned());
            Self::in_folder(std::env::temp_dir().join(format!("sensorium-test-postgres-{user}")))
        })
    }

    /// A server that the test may stop. It goes some seconds after the test, with its folder.
    pub fn own() -> Self {
        let name = format!("sensorium-test-postgres-{}-{}", std::process::id(), nanoseconds());
        Self::in_folder(std::env::temp_dir().join(name))
    }

    fn in_folder(folder: PathBuf) -> Self {
        let users = lock(&folder);
        let url = run("start", &folder);
        Self { folder, url, _users: users }
    }

    pub fn stop(&self) {
        run("stop", &self.folder);
    }

    pub fn start_again(&self) {
        assert_eq!(run("start", &self.folder), self.url);
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        self.url.parse::<PgConnectOptions>().unwrap().database(database).disable_statement_logging()
    }
}

/// Takes part in the lock on `users`. The watcher may remove the folder just before: then the lock is on a file that is
/// gone, and another is made.
fn lock(folder: &Path) -> File {
    let path = folder.join("users");
    loop {
        std::fs::create_dir_all(folder).unwrap();
        let Ok(file) = File::options().create(true).truncate(false).write(true).open(&path) else { continue };
        file.lock_shared().unwrap();
        if std::fs::metadata(&path).is_ok_and(|found| found.ino() == file.metadata().unwrap().ino()) {
            return file;
        }
    }
}

fn run(command: &str, folder: &Path) -> String {
    let output = Command::new(SCRIPT).arg(command).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn nanoseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// An empty database of the test's own, dropped at its end.
pub struct Database {
    server: &'static Server,
    name: String,
    clock: Arc<TestClock>,
}

impl Database {
    pub async fn fresh() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = Server::shared();
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let name = format!("test_{}_{}_{number}", std::process::id(), nanoseconds());
        create(server, &name).await;
        Self { server, name, clock: Arc::default() }
    }

    pub fn url(&self) -> String {
        url(self.server, &self.name)
    }

    /// A connection past the catalog.
    pub async fn connect(&self) -> PgConnection {
        self.server.options(&self.name).connect().await.unwrap()
    }

    pub async fn open_with(&self, options: PostgresOptions) -> Result<PostgresCatalog, CatalogError> {
        PostgresCatalog::open(&self.url(), self.clock.clone(), options).await
    }
}

pub async fn create(server: &Server, name: &str) {
    let mut connection = server.options("postgres").connect().await.unwrap();
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
}

pub fn url(server: &Server, name: &str) -> String {
    server.url.replacen("localhost", &format!("localhost/{name}"), 1)
}

impl Drop for Database {
    fn drop(&mut self) {
        let options = self.server.options("postgres");
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // The test's own runtime may be about to end. A database that stays goes with the server.
        let _ = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime
                .block_on(async move { options.connect().await.unwrap().execute(AssertSqlSafe(drop)).await.unwrap() });
        })
        .join();
    }
}

#[async_trait]
impl CatalogFixture for Database {
    fn clock(&self) -> Arc<TestClock> {
        self.clock.clone()
    }

    async fn open(&self) -> Arc<dyn Catalog> {
        let options = PostgresOptions { connections: 8, ..PostgresOptions::default() };
        Arc::new(self.open_with(options).await.unwrap())
    }
}
