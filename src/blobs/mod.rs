//! Part contents by hash, in an object store, a folder of its own per tenant. Small ones are in the catalog: see `content`.

mod content;
mod fresh;
mod open;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sensorium_domain::{BlobHash, TenantId};

use crate::error::{ApiError, Code};

use fresh::Fresh;

pub use content::{INLINE_AT_MOST, content, content_range};
pub use open::OpenError;
pub(crate) use open::bucket_and_prefix;

/// The blob store.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    /// Where the store is a folder.
    folder: Option<PathBuf>,
    fresh: Arc<Fresh>,
}

impl Blobs {
    /// Keeps so many bytes of small blobs that are put in memory too.
    #[must_use]
    pub fn keeping_fresh(self, most_bytes: usize) -> Self {
        Self { fresh: Arc::new(Fresh::new(most_bytes)), ..self }
    }

    /// Removes what processes that died had half written into the folder, if the store is one: files that are no blobs and older than
    /// `before`. Blocks.
    pub fn remove_leftovers(&self, before: SystemTime) -> std::io::Result<usize> {
        let Some(folder) = &self.folder else { return Ok(0) };
        let mut removed = 0;
        for tenant in std::fs::read_dir(folder)? {
            for shelf in std::fs::read_dir(tenant?.path()).into_iter().flatten() {
                for file in std::fs::read_dir(shelf?.path()).into_iter().flatten() {
                    let file = file?;
                    let is_blob = file.file_name().to_str().is_some_and(|name| name.parse::<BlobHash>().is_ok());
                    if !is_blob && file.metadata()?.modified()? < before {
                        std::fs::remove_file(file.path())?;
                        removed += 1;
                    }
                }
            }
        }
        Ok(removed)
    }

    /// Stores bytes; whole or not at all.
    pub async fn put(&self, tenant: &TenantId, hash: BlobHash, bytes: Bytes) -> Result<(), ApiError> {
        self.store.put(&path(tenant, hash), bytes.clone().into()).await.map_err(failed)?;
        self.fresh.keep(tenant, hash, &bytes);
        Ok(())
    }

    /// Keeps bytes that came a moment ago and do not lie here.
    pub fn keep_fresh(&self, tenant: &TenantId, hash: BlobHash, bytes: &Bytes) {
        self.fresh.keep(tenant, hash, bytes);
    }

    /// Bytes that came a moment ago.
    fn fresh(&self, tenant: &TenantId, hash: BlobHash) -> Option<Bytes> {
        self.fresh.get(tenant, hash)
    }

    /// All bytes.
    async fn get(&self, tenant: &TenantId, hash: BlobHash) -> Result<Bytes, ApiError> {
        let found = self.store.get(&path(tenant, hash)).await.map_err(failed)?;
        found.bytes().await.map_err(failed)
    }

    /// Some of the bytes.
    async fn get_range(&self, tenant: &TenantId, hash: BlobHash, range: Range<u64>) -> Result<Bytes, ApiError> {
        self.store.get_range(&path(tenant, hash), range).await.map_err(failed)
    }

    /// Whether they are there.
    pub async fn contains(&self, tenant: &TenantId, hash: BlobHash) -> Result<bool, ApiError> {
        self.has(&path(tenant, hash)).await
    }

    /// Whether the store answers: it is asked for something that is not there.
    pub async fn ping(&self) -> Result<(), ApiError> {
        self.has(&Path::from("ping")).await.map(drop)
    }

    async fn has(&self, path: &Path) -> Result<bool, ApiError> {
        match self.store.head(path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// Removes them; absent ones are no error.
    pub async fn delete(&self, tenant: &TenantId, hash: BlobHash) -> Result<(), ApiError> {
        self.fresh.remove(tenant, hash);
        match self.store.delete(&path(tenant, hash)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Everything that is stored, for `fsck`. Files that are not blobs are left out.
    pub async fn list(&self) -> Result<Vec<(TenantId, BlobHash)>, ApiError> {
        use futures::TryStreamExt;
        let objects: Vec<_> = self.store.list(None).try_collect().await.map_err(failed)?;
        Ok(objects.iter().filter_map(|object| parse(object.location.as_ref())).collect())
    }
}

/// `tenant/ab/abcd...`: two characters of the hash keep folders small.
pub(crate) fn place(tenant: &TenantId, hash: BlobHash) -> String {
    path(tenant, hash).into()
}

/// Whose blob lies at a place, if one does.
pub(crate) fn parse(place: &str) -> Option<(TenantId, BlobHash)> {
    let mut steps = place.split('/');
    let tenant = steps.next()?.parse().ok()?;
    let hash = steps.nth(1)?.parse().ok()?;
    Some((tenant, hash))
}

fn path(tenant: &TenantId, hash: BlobHash) -> Path {
    let hash = hash.to_string();
    Path::from_iter([tenant.as_str(), &hash[..2], &hash])
}

fn failed(error: object_store::Error) -> ApiError {
    match error {
        object_store::Error::NotFound { path, .. } => ApiError::internal(format!("blob {path} is missing")),
        error => {
            tracing::warn!(%error, "blob store");
            ApiError::new(Code::Unavailable, "the blob store cannot be reached at the moment").retry_after(2_000)
        }
    }
}
