//! The jobs that remove documents: points first, durably; then rows and kept vectors; then blobs that nobody owns.

use sensorium_domain::job::Progress;
use sensorium_domain::{CollectionName, DocumentId};

use crate::jobs::{JobFailure, Running};
use crate::startup::App;

/// Removes one document.
pub async fn delete_document(app: &App, running: &Running, document: DocumentId) -> Result<(), JobFailure> {
    let lease = &running.lease;
    app.index.delete_document(&lease.tenant, document).await?;
    app.index.flush().await?;
    app.catalog.finish_delete(lease, document).await?;
    app.bell.sweep();
    Ok(())
}

/// Removes a collection, document by document.
pub async fn delete_collection(app: &App, running: &Running, collection: &CollectionName) -> Result<(), JobFailure> {
    let lease = &running.lease;
    let mut progress = Progress { stage: "delete".to_owned(), ..Progress::default() };
    loop {
        let doomed = app.catalog.doomed_documents(&lease.tenant, collection, 100).await?;
        if doomed.is_empty() {
            break;
        }
        running.check()?;
        for document in &doomed {
            app.index.delete_document(&lease.tenant, *document).await?;
        }
        app.index.flush().await?;
        for document in &doomed {
            app.catalog.remove_document(lease, *document).await?;
            progress.done += 1;
        }
        app.catalog.progress(lease, &progress).await?;
    }
    app.catalog.finish_delete_collection(lease, collection).await?;
    app.bell.sweep();
    Ok(())
}
