//! Lists of documents, newest first.

use sensorium_domain::catalog::DocumentQuery;
use sensorium_domain::{Document, TenantId};

use super::Store;
use super::dialect::uuid_value;
use super::documents::{self, select_document};
use super::filters::{Sql, push_filter};
use crate::error::Result;

pub(super) async fn list(catalog: &Store, tenant: &TenantId, query: &DocumentQuery) -> Result<Vec<Document>> {
    let mut sql = Sql::new(select_document!("WHERE d.status <> 'deleting' AND d.tenant = "));
    sql.push_bind(tenant.as_str());
    if let Some(collection) = &query.collection {
        sql.push(" AND d.collection = ").push_bind(collection.as_str());
    }
    if let Some(before) = query.before {
        sql.push(" AND d.id < ").push_bind(uuid_value(before.uuid()));
    }
    push_filter(&mut sql, &query.filter);
    sql.push(" ORDER BY d.id DESC LIMIT ").push_bind(i64::from(query.limit));
    let rows = sql.build().persistent(query.filter.is_empty()).fetch_all(catalog.reader()).await?;
    rows.iter().map(documents::read).collect()
}
