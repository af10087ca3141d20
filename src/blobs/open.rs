//! Which object store holds the blobs: a folder, or a bucket of S3 or of what speaks its protocol.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::Blobs;
use super::fresh::Fresh;
use crate::config;

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings name no store that there is.
    #[error("blobs.url: \"{0}\" is not of the form s3://BUCKET or s3://BUCKET/PREFIX")]
    Url(String),
    /// The store's client refuses the settings, or the folder cannot be used.
    #[error("{0}")]
    Store(#[from] object_store::Error),
}

impl Blobs {
    /// Blobs in the folder of this server.
    pub fn in_folder(folder: &Path) -> Result<Self, OpenError> {
        let store = Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true));
        Ok(Self { store, folder: Some(folder.to_owned()), fresh: Arc::new(Fresh::new(0)) })
    }

    /// Blobs in the bucket of the settings, which is not asked for anything yet.
    pub fn in_bucket(settings: &config::Blobs) -> Result<Self, OpenError> {
        let (bucket, prefix) = bucket_and_prefix(&settings.url).ok_or_else(|| OpenError::Url(settings.url.clone()))?;
        let store = bucket_client(settings, bucket)?;
        let store: Arc<dyn ObjectStore> = match prefix {
            "" => Arc::new(store),
            prefix => Arc::new(PrefixStore::new(store, prefix)),
        };
        Ok(Self { store, folder: None, fresh: Arc::new(Fresh::new(0)) })
    }
}

/// Bucket and prefix of an `s3://` address.
pub(crate) fn bucket_and_prefix(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    (!bucket.is_empty()).then_some((bucket, prefix.trim_matches('/')))
}

/// What the settings leave empty comes from the environment (`AWS_...`), or from the machine's role.
fn bucket_client(settings: &config::Blobs, bucket: &str) -> Result<AmazonS3, OpenError> {
    crate::tls::install_provider();
    let client = ClientOptions::new()
        .with_connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
        .with_timeout(Duration::from_millis(settings.request_timeout_ms))
        .with_allow_http(settings.endpoint.starts_with("http://"));
    let retry = RetryConfig {
        backoff: BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() },
        max_retries: settings.retries,
        retry_timeout: Duration::from_millis(settings.request_timeout_ms * 2),
    };
    let mut builder =
        AmazonS3Builder::from_env().with_bucket_name(bucket).with_client_options(client).with_retry(retry);
    if !settings.endpoint.is_empty() {
        builder = builder.with_endpoint(&settings.endpoint);
    }
    if !settings.region.is_empty() {
        builder = builder.with_region(&settings.region);
    }
    if !settings.access_key_id.is_empty() {
        builder = builder.with_access_key_id(&settings.access_key_id);
    }
    if !settings.secret_access_key.is_empty() {
        builder = builder.with_secret_access_key(&settings.secret_access_key);
    }
    Ok(builder.with_virtual_hosted_style_request(settings.virtual_hosted).build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_may_have_a_prefix() {
        assert_eq!(bucket_and_prefix("s3://bucket"), Some(("bucket", "")));
        assert_eq!(bucket_and_prefix("s3://bucket/"), Some(("bucket", "")));
        assert_eq!(bucket_and_prefix("s3://bucket/some/where/"), Some(("bucket", "some/where")));
        for wrong in ["", "s3://", "s3:///prefix", "gs://bucket", "bucket"] {
            assert_eq!(bucket_and_prefix(wrong), None, "{wrong}");
        }
    }
}
