//! A collection for every test, on the server of the whole run or another.

use std::env;
use std::thread;

use qdrant_client::Qdrant;
use qdrant_client::qdrant::CollectionInfo;
use sensorium_domain::IndexError;
use sensorium_domain::index::IndexedSpace;
use sensorium_index::{QdrantIndex, QdrantOptions};
use uuid::Uuid;

/// A name that nobody else uses. The collections under it are removed at the end.
pub struct Place {
    url: String,
    pub name: String,
}

impl Place {
    /// On the server of the run, which the setup script has started.
    pub fn shared() -> Self {
        Self::on(env::var("SENSORIUM_TEST_QDRANT_URL").expect("run these tests by cargo nextest; it prepares them"))
    }

    /// On another server.
    pub fn on(url: String) -> Self {
        Self { url, name: format!("test-{}", Uuid::now_v7().simple()) }
    }

    pub fn options(&self) -> QdrantOptions {
        QdrantOptions { name: self.name.clone(), ..QdrantOptions::new(&self.url) }
    }

    pub async fn open(&self, spaces: &[IndexedSpace]) -> Result<QdrantIndex, IndexError> {
        QdrantIndex::open(self.options(), spaces, 1).await
    }

    /// The collection's name in the first generation.
    pub fn collection(&self) -> String {
        format!("{}_g1", self.name)
    }

    /// The server's own client, to look behind the port.
    pub fn client(&self) -> Qdrant {
        Qdrant::from_url(&self.url).skip_compatibility_check().build().unwrap()
    }

    /// What the server says of the collection.
    pub async fn info(&self) -> CollectionInfo {
        self.client().collection_info(self.collection()).await.unwrap().result.unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (client, name) = (self.client(), self.name.clone());
        let removal = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                // The server may be gone already, and its folder with it.
                let Ok(all) = client.list_collections().await else { return };
                for collection in all.collections.into_iter().filter(|collection| collection.name.starts_with(&name)) {
                    let _ = client.delete_collection(collection.name).await;
                }
            });
        });
        let _ = removal.join();
    }
}
