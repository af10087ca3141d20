//! With the bytes of parts in a bucket: the same answers as with a folder, a problem that says when to try again while the store hangs,
//! nothing lost.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::client::{id, list};
use crate::media::{base64, png};
use crate::server::{PATIENCE, Server, eventually};

/// What moto takes for a signature: it checks none.
const CREDENTIAL: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request";

/// moto: S3's protocol on loopback, in memory. It ends with the test.
pub struct Store {
    process: Child,
    port: u16,
    _folder: TempDir,
}

/// Where scripts/prepare has put it.
fn packages() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"), PathBuf::from);
    cache.join("sensorium/moto")
}

impl Store {
    /// Starts it and waits until it answers. Blocks.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new("python3")
            .env("PYTHONPATH", packages())
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("moto is installed: scripts/prepare test");
        let deadline = std::time::Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(std::time::Instant::now() < deadline, "moto does not start");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Self { process, port, _folder: folder }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many objects the bucket has.
    async fn objects(&self) -> usize {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let listed = client.get(format!("{}/library?list-type=2", self.url())).header("authorization", CREDENTIAL);
        listed.send().await.unwrap().text().await.unwrap().matches("<Key>").count()
    }

    /// Stops it in its tracks, or lets it go on.
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// A store with the bucket `library`.
pub async fn store_with_a_bucket() -> Store {
    sensorium::tls::install_provider();
    let store = spawn_blocking(Store::start).await.unwrap();
    let made = reqwest::Client::builder().no_proxy().build().unwrap().put(format!("{}/library", store.url()));
    let made = made.header("authorization", CREDENTIAL);
    assert!(made.send().await.unwrap().status().is_success());
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_lie_in_a_bucket() {
    let store = store_with_a_bucket().await;
    let endpoint = store.url();
    let settings = [
        ("blobs.url", "s3://library/some/where"),
        ("blobs.endpoint", endpoint.as_str()),
        ("blobs.region", "us-east-1"),
        ("blobs.access_key_id", "test"),
        ("blobs.secret_access_key", "test"),
        ("blobs.request_timeout_ms", "1000"),
        ("blobs.retries", "0"),
        ("jobs.max_attempts", "100"),
        ("jobs.retry_cap_ms", "1000"),
        ("blobs.inline_bytes", "0"),
    ];
    let mut server = Server::start_with(&settings).await;
    let api = server.owner();
    let picture = png(60, 40, 5);
    let added = api.add(&json!({"parts": [{"text": "a lighthouse"}, {"base64": base64(&picture)}]})).await;
    let document = id(&added["document"]);
    assert!(!server.data_dir().join("blobs").exists(), "there is no second store in the folder");
    let part = &list(&added, "/document/parts")[1];
    let content = format!("/v1/parts/{}/content", id(part));
    assert_eq!(api.get(&content).await.body, picture);
    let some = api.send(api.request(reqwest::Method::GET, &content).header("range", "bytes=1-3")).await;
    assert_eq!((some.status, &some.body[..]), (206, &picture[1..4]));
    assert_eq!(api.get(&format!("/v1/parts/{}/thumbnail", id(part))).await.status, 200);

    store.signal("STOP");
    let refused = api.post("/v1/documents", &json!({"parts": [{"text": "a windmill"}]})).await;
    refused.problem(503, "unavailable");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    api.get(&content).await.problem(503, "unavailable");
    assert_eq!(api.with_word("lighthouse").await, [document.clone()], "searches need no bytes");
    let ready = api.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["failing"]), (503, &json!(["blobs"])));
    store.signal("CONT");
    let second = eventually("the store is back", async || {
        let answer = api.post("/v1/documents", &json!({"parts": [{"text": "a windmill"}]})).await;
        (answer.status == 202).then(|| id(&answer.expect(202)["document"]))
    })
    .await;
    eventually("the windmill is found", async || (api.with_word("windmill").await == [second.clone()]).then_some(()))
        .await;

    server.kill();
    server.restart().await;
    let api = server.owner();
    assert_eq!(api.get(&content).await.body, picture);
    api.send(api.request(reqwest::Method::DELETE, &format!("/v1/documents/{document}")).header("prefer", "wait=60"))
        .await;
    api.get(&content).await.problem(404, "not_found");
    eventually("its bytes are swept", async || (store.objects().await == 1).then_some(())).await;
    assert!(server.stop().await.success());
    let checked = server.command(&["fsck", "--json"]).await;
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap_or_default();
    assert_eq!((&report["clean"], &report["blobs"]), (&json!(true), &json!(1)), "{report:#}");
}
