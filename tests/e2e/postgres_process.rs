//! A Postgres server of a test's own. It goes some seconds after the test, with its folder (scripts/test-postgres).
#![allow(dead_code)] // a bench uses a part

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use crate::server::root;

/// A running server. Its watcher stops it when the lock is gone.
pub struct Server {
    folder: PathBuf,
    /// Of a database that is empty at the start.
    pub url: String,
    _users: File,
}

impl Server {
    /// Starts one and waits until it is ready. Blocks.
    pub fn start() -> Self {
        let name = format!("sensorium-e2e-postgres-{}-{:016x}", std::process::id(), rand::random::<u64>());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let users = File::create(folder.join("users")).unwrap();
        users.lock_shared().unwrap();
        let mut server = Self { folder, url: String::new(), _users: users };
        let address = server.script("start");
        server.url = address.trim().replacen("?host=", "/postgres?host=", 1);
        server
    }

    /// Stops it as a crash would. Blocks.
    pub fn stop(&self) {
        self.script("stop");
    }

    /// Starts it again with what it had. Blocks.
    pub fn start_again(&self) {
        self.script("start");
    }

    fn script(&self, command: &str) -> String {
        let script = root().join("scripts/test-postgres");
        let output = Command::new(script).arg(command).arg(&self.folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}
