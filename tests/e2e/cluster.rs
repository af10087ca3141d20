//! Several processes on one Postgres, one Qdrant and one bucket.

use serde_json::json;
use tokio::task::spawn_blocking;

use crate::client::Api;
use crate::postgres_process::Server as Postgres;
use crate::qdrant_process::Server as Qdrant;
use crate::s3::{Store, store_with_a_bucket};
use crate::server::{Server, now_s};

const SECRET: &str = "a secret of more than thirty-two characters";

/// The three stores.
pub struct Stores {
    postgres: Postgres,
    qdrant: Qdrant,
    bucket: Store,
}

impl Stores {
    /// Starts them.
    pub async fn start() -> Self {
        let (postgres, qdrant) = spawn_blocking(|| (Postgres::start(), Qdrant::start())).await.unwrap();
        Self { postgres, qdrant, bucket: store_with_a_bucket().await }
    }

    /// Starts a process on them.
    pub async fn process(&self, role: &str) -> Server {
        let (qdrant, bucket) = (self.qdrant.url(), self.bucket.url());
        let settings = [
            ("server.role", role),
            ("auth.hs256_secret", SECRET),
            ("catalog.url", self.postgres.url.as_str()),
            ("index.url", qdrant.as_str()),
            ("blobs.url", "s3://library"),
            ("blobs.endpoint", bucket.as_str()),
            ("blobs.region", "us-east-1"),
            ("blobs.access_key_id", "test"),
            ("blobs.secret_access_key", "test"),
        ];
        Server::start_with(&settings).await
    }

    /// Stops them.
    pub async fn stop(self) {
        spawn_blocking(|| drop(self)).await.unwrap();
    }
}

/// A client of a process, with a token that every process takes.
pub fn client(server: &Server, tenant: &str, scope: &str) -> Api {
    let claims = json!({"tenant": tenant, "scope": scope, "exp": now_s() + 600});
    server.with_credentials(&server.token_with(SECRET, &claims))
}
