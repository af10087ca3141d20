//! Indexes over payload fields.

// See `tuning`.
#![allow(deprecated)]

use std::collections::HashMap;

use qdrant_client::qdrant::payload_index_params::IndexParams;
use qdrant_client::qdrant::{
    CreateFieldIndexCollection, FieldType, IntegerIndexParams, KeywordIndexParams, PayloadIndexParams,
    PayloadSchemaInfo,
};
use sensorium_domain::IndexError;

use super::client::Client;
use crate::payload::{FIELD_INDEXES, FieldIndex};

/// Makes the indexes that are not in the collection's `schema`.
pub(super) async fn create_missing(
    client: &Client,
    collection: &str,
    schema: &HashMap<String, PayloadSchemaInfo>,
) -> Result<(), IndexError> {
    for (field, index) in FIELD_INDEXES {
        if schema.contains_key(field) {
            continue;
        }
        let (field_type, params) = params(index);
        let request = CreateFieldIndexCollection {
            collection_name: collection.to_owned(),
            wait: Some(true),
            field_name: field.to_owned(),
            field_type: Some(field_type.into()),
            field_index_params: Some(params),
            ..CreateFieldIndexCollection::default()
        };
        client.answer(client.ask().create_field_index(request)).await?;
    }
    Ok(())
}

fn params(index: FieldIndex) -> (FieldType, PayloadIndexParams) {
    match index {
        FieldIndex::Keyword { is_tenant, is_hot } => {
            let params = KeywordIndexParams {
                is_tenant: is_tenant.then_some(true),
                on_disk: Some(!is_hot),
                enable_hnsw: Some(is_hot),
                ..KeywordIndexParams::default()
            };
            (FieldType::Keyword, IndexParams::from(params).into())
        }
        FieldIndex::Moment => {
            let params = IntegerIndexParams {
                lookup: Some(false),
                range: Some(true),
                on_disk: Some(true),
                enable_hnsw: Some(false),
                ..IntegerIndexParams::default()
            };
            (FieldType::Integer, IndexParams::from(params).into())
        }
    }
}
