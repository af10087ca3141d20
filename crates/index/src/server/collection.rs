//! The collection of a generation: made where it is missing, held against the profile, adapted to the settings.
//!
//! The shape is kept in the collection's own metadata. What a collection cannot change later, and what is not as the profile wants it,
//! is a mismatch; it is never made anew silently.

use std::collections::HashMap;
use std::num::NonZeroU32;

use qdrant_client::qdrant::{
    CollectionConfig, CollectionInfo, CollectionParams, CreateAlias, CreateCollection, Distance, Modifier,
    SparseVectorParams, Value, VectorParams, vectors_config,
};
use sensorium_domain::IndexError;

use super::client::Client;
use super::error::{from_client, is_not_found};
use super::fields;
use super::options::QdrantOptions;
use super::tuning::Tuning;
use crate::shape::Shape;
use crate::words::WORDS;

/// The entry of the collection's metadata that holds the shape.
const SHAPE: &str = "sensorium_index";

/// Makes the collection ready for use.
pub(super) async fn prepare(
    client: &Client,
    name: &str,
    shape: &Shape,
    options: &QdrantOptions,
) -> Result<(), IndexError> {
    let info = if let Some(info) = look(client, name).await? {
        info
    } else {
        create(client, name, shape, options).await?;
        look(client, name).await?.ok_or_else(|| {
            IndexError::Unavailable(format!("collection \"{name}\" was just made and is not seen yet"))
        })?
    };
    let config = info.config.unwrap_or_default();
    let params = config.params.clone().unwrap_or_default();
    check_shape(name, shape, &config, &params)?;
    check_layout(name, options, &params)?;
    let wanted = Tuning::of_options(options);
    if wanted != Tuning::of_collection(&config, &params) {
        tracing::info!(collection = name, "the collection is adapted to changed settings");
        client.answer(client.ask().update_collection(wanted.update(name, shape, client.timeout_s()))).await?;
    }
    fields::create_missing(client, name, &info.payload_schema).await
}

async fn look(client: &Client, name: &str) -> Result<Option<CollectionInfo>, IndexError> {
    match client.outcome(client.ask().collection_info(name)).await? {
        Ok(answer) => Ok(answer.result),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(from_client(error)),
    }
}

async fn create(client: &Client, name: &str, shape: &Shape, options: &QdrantOptions) -> Result<(), IndexError> {
    let kept = serde_json::to_value(shape).map_err(|error| IndexError::Internal(error.to_string()))?;
    let request = CreateCollection {
        collection_name: name.to_owned(),
        replication_factor: Some(options.replication_factor.get()),
        shard_number: options.shard_number.map(NonZeroU32::get),
        metadata: HashMap::from([(SHAPE.to_owned(), Value::from(kept))]),
        timeout: Some(client.timeout_s()),
        ..Tuning::of_options(options).create(shape)
    };
    let Err(error) = client.outcome(client.ask().create_collection(request)).await? else {
        tracing::info!(collection = name, "collection made");
        return Ok(());
    };
    // Another process may have been quicker, which the server tells in more than one way.
    let is_there = look(client, name).await?.is_some();
    if is_there { Ok(()) } else { Err(from_client(error)) }
}

/// Makes `alias` stand for the collection, in one step where it stands for another.
pub(super) async fn name_by_alias(client: &Client, alias: &str, name: &str) -> Result<(), IndexError> {
    let known = client.answer(client.ask().list_collection_aliases(name)).await?.aliases;
    if known.iter().any(|known| known.alias_name == alias) {
        return Ok(());
    }
    let alias = CreateAlias { collection_name: name.to_owned(), alias_name: alias.to_owned() };
    client.answer(client.ask().create_alias(alias)).await?;
    Ok(())
}

/// Both what we wrote down and what is really there must be as wanted.
fn check_shape(
    name: &str,
    shape: &Shape,
    config: &CollectionConfig,
    params: &CollectionParams,
) -> Result<(), IndexError> {
    let Some(kept) = config.metadata.get(SHAPE) else {
        return Err(IndexError::Mismatch(format!("collection \"{name}\" was not made by this program")));
    };
    let kept = kept.clone().into_json().to_string();
    Shape::read(kept.as_bytes()).and_then(|kept| shape.check(&kept)).map_err(|error| in_collection(name, error))?;
    let (found, wanted) = (vectors_of(params), vectors_wanted(shape));
    if found != wanted {
        return Err(IndexError::Mismatch(format!("collection \"{name}\" has the vectors {found}, not {wanted}")));
    }
    Ok(())
}

fn in_collection(name: &str, error: IndexError) -> IndexError {
    match error {
        IndexError::Mismatch(text) | IndexError::Corrupt(text) => {
            IndexError::Mismatch(format!("collection \"{name}\": {text}"))
        }
        IndexError::Outdated(text) => IndexError::Outdated(format!("collection \"{name}\": {text}")),
        other => other,
    }
}

/// Settings that count only when a collection is made.
fn check_layout(name: &str, options: &QdrantOptions, params: &CollectionParams) -> Result<(), IndexError> {
    let fixed = |setting: &str, found: u32, wanted: u32| {
        if found == wanted {
            return Ok(());
        }
        Err(IndexError::Mismatch(format!(
            "collection \"{name}\" was made with {setting} {found}, and {wanted} is set; set {found}, or reindex"
        )))
    };
    fixed("replication_factor", params.replication_factor.unwrap_or(1), options.replication_factor.get())?;
    match options.shard_number {
        Some(wanted) => fixed("shard_number", params.shard_number, wanted.get()),
        None => Ok(()),
    }
}

fn vectors_of(params: &CollectionParams) -> String {
    let mut found: Vec<String> = match params.vectors_config.as_ref().and_then(|vectors| vectors.config.as_ref()) {
        Some(vectors_config::Config::ParamsMap(map)) => {
            map.map.iter().map(|(name, vector)| dense(name, vector)).collect()
        }
        Some(vectors_config::Config::Params(vector)) => vec![dense("", vector)],
        None => Vec::new(),
    };
    let sparse = params.sparse_vectors_config.as_ref().map(|sparse| &sparse.map);
    found.extend(sparse.into_iter().flatten().map(|(name, vector)| words(name, vector)));
    found.sort();
    found.join(" ")
}

fn vectors_wanted(shape: &Shape) -> String {
    let mut wanted: Vec<String> = shape
        .stored()
        .map(|(name, dimension)| {
            let vector =
                VectorParams { size: dimension as u64, distance: Distance::Cosine.into(), ..VectorParams::default() };
            dense(&name, &vector)
        })
        .collect();
    let idf = SparseVectorParams { modifier: Some(Modifier::Idf.into()), ..SparseVectorParams::default() };
    wanted.push(words(WORDS, &idf));
    wanted.sort();
    wanted.join(" ")
}

fn dense(name: &str, vector: &VectorParams) -> String {
    format!("{name}({}, {:?})", vector.size, vector.distance())
}

fn words(name: &str, vector: &SparseVectorParams) -> String {
    format!("{name}(sparse, {:?})", vector.modifier())
}
