//! How the answers of two generations compare.

use std::collections::HashSet;

use sensorium_domain::catalog::Recall;
use sensorium_domain::{DocumentId, TenantId};

use crate::error::ApiError;
use crate::jobs::{JobFailure, Running};
use crate::search::{GroupBy, SearchRequest, search};
use crate::startup::App;

/// Asks both what was asked lately. A question that one of them cannot answer (it names a space that the other has not) does not count.
pub async fn compare(old: &App, new: &App, running: &Running) -> Result<Recall, JobFailure> {
    let settings = &old.config.reindex;
    old.recent.write(old).await;
    let (mut queries, mut sum) = (0, 0.0);
    for (tenant, text) in old.catalog.recent_queries(settings.keep_queries).await? {
        running.check()?;
        let Ok(mut request) = serde_json::from_str::<SearchRequest>(&text) else { continue };
        request.page_size = settings.compare_depth.min(old.config.search.max_page_size);
        request.group_by = GroupBy::Document;
        let (before, after) = (best(old, &tenant, request.clone()).await, best(new, &tenant, request).await);
        if let (Ok(before), Ok(after)) = (before, after)
            && !before.is_empty()
        {
            queries += 1;
            sum += before.intersection(&after).count() as f64 / before.len() as f64;
        }
    }
    let overlap = if queries == 0 { 1.0 } else { sum / f64::from(queries) };
    Ok(Recall { queries, depth: settings.compare_depth as u32, overlap })
}

async fn best(app: &App, tenant: &TenantId, request: SearchRequest) -> Result<HashSet<DocumentId>, ApiError> {
    let answer = search(app, tenant, request, &[]).await?;
    Ok(answer.hits.iter().map(|hit| hit.document.id).collect())
}
