//! What was asked lately, kept in the catalog so that generations can be compared by it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sensorium_domain::TenantId;

use crate::search::SearchRequest;
use crate::startup::App;

/// Longer questions are not worth keeping.
const MOST_BYTES: usize = 4_096;

/// Questions that are not in the catalog yet.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Vec<(TenantId, String)>>);

impl Recent {
    /// Notes a question of words alone, `keep` of them at most.
    pub fn note(&self, tenant: &TenantId, request: &SearchRequest, keep: usize) {
        let in_words = request.inputs.iter().all(|input| input.text.is_some());
        if !in_words || request.page_token.is_some() || self.noted().len() >= keep {
            return;
        }
        let Ok(text) = serde_json::to_string(request) else { return };
        let mut noted = self.noted();
        if text.len() <= MOST_BYTES && noted.len() < keep {
            noted.push((tenant.clone(), text));
        }
    }

    fn noted(&self) -> MutexGuard<'_, Vec<(TenantId, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what was noted.
    pub async fn write(&self, app: &App) {
        let noted = std::mem::take(&mut *self.noted());
        if noted.is_empty() {
            return;
        }
        if let Err(error) = app.catalog.note_queries(&noted, app.config.reindex.keep_queries).await {
            tracing::warn!(%error, "recent questions were not kept");
        }
    }
}

/// Writes them now and then.
pub async fn keep_noting(app: App) {
    let pause = Duration::from_millis(app.config.reindex.note_interval_ms);
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return app.recent.write(&app).await,
            () = tokio::time::sleep(pause) => app.recent.write(&app).await,
        }
    }
}
