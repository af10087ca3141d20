//! What was acknowledged is there after a `kill -9`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sensorium_catalog::{SqliteCatalog, SqliteOptions};
use sensorium_domain::catalog::{ClaimId, NewDocument, NewPart, StorageQuota};
use sensorium_domain::{
    BlobHash, Catalog, Clock, DocumentId, DocumentStatus, JobId, Modality, PartId, SystemClock, TenantId,
};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

const VICTIM: &str = "SENSORIUM_TEST_VICTIM";
const ROUNDS: u64 = 5;

/// Runs itself as a process that writes, kills it, and looks for every document that it had reported.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_a_kill() {
    if let Some(path) = std::env::var_os(VICTIM) {
        return write_until_killed(Path::new(&path)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let tenant: TenantId = "acme".parse().unwrap();
    let mut reported: Vec<DocumentId> = Vec::new();
    for round in 0..ROUNDS {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["kills::acknowledged_writes_survive_a_kill", "--exact", "--nocapture"])
            .env(VICTIM, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let reader = std::thread::spawn(move || {
            let mut seen: Vec<DocumentId> = Vec::new();
            for line in lines.map_while(Result::ok) {
                let ids = line.split_whitespace().filter_map(|word| word.parse::<DocumentId>().ok());
                seen.extend(ids);
            }
            seen
        });
        tokio::time::sleep(Duration::from_millis(400 + 73 * round)).await;
        victim.kill().unwrap();
        victim.wait().unwrap();
        reported.extend(reader.join().unwrap());

        let catalog = open(&path).await;
        for id in &reported {
            let document = catalog.document(&tenant, *id).await.unwrap();
            assert_eq!(document.status, DocumentStatus::Processing);
            assert_eq!(catalog.parts(&tenant, *id, None).await.unwrap().len(), 1);
        }
        let stats = catalog.stats(&tenant).await.unwrap();
        assert_eq!(stats.documents, stats.open_jobs, "a document and its job come together");
        assert!(stats.documents >= reported.len() as u64);
        catalog.close().await;
    }
    assert!(!reported.is_empty());
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let checked: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
    assert_eq!(checked, "ok");
}

async fn open(path: &Path) -> SqliteCatalog {
    let options = SqliteOptions { take_over: true, ..SqliteOptions::default() };
    SqliteCatalog::open(path, Arc::new(SystemClock), options).await.unwrap()
}

/// Accepts documents and reports each by a line with its id, for ever.
async fn write_until_killed(path: &Path) {
    let catalog = open(path).await;
    let tenant: TenantId = "acme".parse().unwrap();
    let now = SystemClock.now();
    for number in 0u128.. {
        let random = u128::from(std::process::id()) << 32 | number;
        let text = format!("text {random}");
        let (blob, claim) = (BlobHash::of(text.as_bytes()), ClaimId(random));
        let expires = now.plus_ms(3_600_000);
        catalog.claim_blobs(&tenant, claim, &[(blob, text.len() as u64)], expires).await.unwrap();
        catalog.blobs_stored(&tenant, claim, &[blob]).await.unwrap();
        let part = NewPart {
            id: PartId::new(now, random),
            name: None,
            modality: Modality::Text,
            media_type: "text/plain".to_owned(),
            blob,
            size_bytes: text.len() as u64,
            bytes: None,
            error: None,
        };
        let new = NewDocument {
            id: DocumentId::new(now, random),
            job: JobId::new(now, random),
            collection: "default".parse().unwrap(),
            external_id: None,
            title: None,
            tags: Vec::new(),
            metadata: serde_json::Map::new(),
            parts: vec![part],
            claim,
            stored: Vec::new(),
            once: None,
            quota: StorageQuota::default(),
            taker: None,
        };
        let (document, _) = catalog.accept_document(&tenant, new).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", document.id).unwrap();
        out.flush().unwrap();
    }
}
