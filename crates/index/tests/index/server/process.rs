//! Servers that belong to one test. They end with it, however it ends. The end-to-end tests of the application start some too.
#![allow(dead_code)] // each crate of tests uses a part

use std::env;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// A server with its folder.
pub struct Server {
    child: Child,
    ports: Ports,
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
    folder: TempDir,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    http: u16,
    grpc: u16,
    p2p: u16,
}

impl Server {
    /// Starts one and waits until it is ready.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`start`](Self::start), with settings of the server.
    pub fn start_with(variables: &[(&'static str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self::launch(free_ports(), Vec::new(), variables)
    }

    /// Starts a cluster of `count` and waits until each knows all.
    pub fn start_cluster(count: usize) -> Vec<Self> {
        let mut servers: Vec<Self> = Vec::new();
        for _ in 0..count {
            let ports = free_ports();
            let uri = format!("http://127.0.0.1:{}", ports.p2p);
            let mut arguments = vec!["--uri".to_owned(), uri];
            if let Some(first) = servers.first() {
                arguments.extend(["--bootstrap".to_owned(), format!("http://127.0.0.1:{}", first.ports.p2p)]);
            }
            let variables = vec![
                ("QDRANT__CLUSTER__ENABLED", "true".to_owned()),
                ("QDRANT__CLUSTER__P2P__PORT", ports.p2p.to_string()),
            ];
            servers.push(Self::launch(ports, arguments, variables));
        }
        for server in &mut servers {
            server.wait_until("it knows all peers", |server| {
                let answer = server.get("/cluster")?;
                let answer: Value = serde_json::from_str(&answer).ok()?;
                (answer["result"]["peers"].as_object()?.len() == count).then_some(())
            });
        }
        servers
    }

    fn launch(ports: Ports, arguments: Vec<String>, variables: Vec<(&'static str, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = spawn(ports, &arguments, &variables, &folder);
        let mut server = Self { child, ports, arguments, variables, folder };
        server.wait_until_ready();
        server
    }

    /// Where it takes calls.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.grpc)
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it on its folder and its ports, after it was killed.
    pub fn start_again(&mut self) {
        self.child = spawn(self.ports, &self.arguments, &self.variables, &self.folder);
        self.wait_until_ready();
    }

    /// Ends it and starts it without anything that it had.
    pub fn start_empty(&mut self) {
        self.kill();
        self.folder = tempfile::tempdir().unwrap();
        self.start_again();
    }

    /// Makes it deaf and dumb without ending it.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn wait_until_ready(&mut self) {
        // It listens for gRPC a moment after it says that it is ready.
        self.wait_until("it is ready", |server| {
            server.get("/readyz")?;
            TcpStream::connect((Ipv4Addr::LOCALHOST, server.ports.grpc)).ok().map(drop)
        });
    }

    fn wait_until(&mut self, what: &str, holds: impl Fn(&Self) -> Option<()>) {
        while holds(self).is_none() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended before {what}: {status}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The body of a successful answer.
    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports.http)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The kernel ends the server when the test's process is gone, even if that was killed.
fn spawn(ports: Ports, arguments: &[String], variables: &[(&'static str, String)], folder: &TempDir) -> Child {
    let program = program();
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL"])
        .arg(&program)
        .args(arguments)
        .current_dir(folder.path())
        .env("QDRANT__SERVICE__HOST", "127.0.0.1")
        .env("QDRANT__SERVICE__HTTP_PORT", ports.http.to_string())
        .env("QDRANT__SERVICE__GRPC_PORT", ports.grpc.to_string())
        .env("QDRANT__STORAGE__STORAGE_PATH", folder.path().join("storage"))
        .env("QDRANT__STORAGE__SNAPSHOTS_PATH", folder.path().join("snapshots"))
        .env("QDRANT__TELEMETRY_DISABLED", "true")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    spawn_for_good(command)
        .unwrap_or_else(|error| panic!("{} cannot be started by setpriv: {error}", program.display()))
}

/// The kernel ends the server with the thread that started it, so that is one that stays: those of a pool come and go.
fn spawn_for_good(command: Command) -> std::io::Result<Child> {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static STARTER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, received) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in received {
                answer.send(command.spawn()).ok();
            }
        });
        orders
    });
    let (answer, started) = mpsc::channel();
    starter.send((command, answer)).expect("the thread stays");
    started.recv().expect("the thread stays")
}

/// Given by the run's setup script.
fn program() -> PathBuf {
    env::var_os("SENSORIUM_TEST_QDRANT").expect("run these tests by cargo nextest; it prepares them").into()
}

fn free_ports() -> Ports {
    let listeners: [TcpListener; 3] = std::array::from_fn(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let [http, grpc, p2p] = listeners.map(|listener| listener.local_addr().unwrap().port());
    Ports { http, grpc, p2p }
}
