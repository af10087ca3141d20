//! Settings that a collection takes on at any time: the server rebuilds in the background what they concern.

// The client calls `on_disk` deprecated for the sake of a field that servers before 1.18 do not know and would pass over.
#![allow(deprecated)]

use std::collections::HashMap;

use qdrant_client::qdrant::{
    CollectionConfig, CollectionParams, CollectionParamsDiff, CreateCollection, Disabled, Distance, HnswConfigDiff,
    Modifier, OptimizersConfigDiff, QuantizationConfig, QuantizationType, ScalarQuantization, SparseIndexConfig,
    SparseVectorConfig, SparseVectorParams, UpdateCollection, VectorParams, VectorParamsDiff, VectorParamsDiffMap,
    VectorParamsMap, quantization_config, quantization_config_diff, vectors_config, vectors_config_diff,
};

use super::options::{QdrantOptions, Quantization};
use crate::shape::Shape;
use crate::words::WORDS;

/// What an operator may change, as it is set or as a collection has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tuning {
    m: u64,
    ef_construct: u64,
    full_scan_threshold_kb: u64,
    indexing_threads: u64,
    indexing_threshold_kb: Option<u64>,
    write_consistency_factor: u32,
    quantization: Quantization,
    /// `None` where a collection's vectors differ in it.
    vectors_on_disk: Option<bool>,
    payload_on_disk: bool,
}

impl Tuning {
    pub(super) fn of_options(options: &QdrantOptions) -> Self {
        Self {
            m: options.hnsw.m as u64,
            ef_construct: options.hnsw.ef_construct as u64,
            full_scan_threshold_kb: options.hnsw.full_scan_threshold_kb as u64,
            indexing_threads: options.hnsw.indexing_threads as u64,
            indexing_threshold_kb: Some(options.indexing_threshold_kb as u64),
            write_consistency_factor: options.write_consistency_factor.get(),
            quantization: options.quantization,
            vectors_on_disk: Some(options.vectors_on_disk),
            payload_on_disk: options.payload_on_disk,
        }
    }

    pub(super) fn of_collection(config: &CollectionConfig, params: &CollectionParams) -> Self {
        let hnsw = config.hnsw_config.unwrap_or_default();
        let quantization = config.quantization_config.as_ref().and_then(|config| config.quantization.as_ref());
        Self {
            m: hnsw.m.unwrap_or(0),
            ef_construct: hnsw.ef_construct.unwrap_or(0),
            full_scan_threshold_kb: hnsw.full_scan_threshold.unwrap_or(0),
            indexing_threads: hnsw.max_indexing_threads.unwrap_or(0),
            indexing_threshold_kb: config.optimizer_config.and_then(|optimizer| optimizer.indexing_threshold),
            write_consistency_factor: params.write_consistency_factor.unwrap_or(1),
            quantization: match quantization {
                Some(quantization_config::Quantization::Scalar(_)) => Quantization::Scalar,
                _ => Quantization::None,
            },
            vectors_on_disk: vectors_on_disk(params),
            payload_on_disk: params.on_disk_payload,
        }
    }

    /// A collection of these vectors, to be given a name.
    pub(super) fn create(&self, shape: &Shape) -> CreateCollection {
        let vectors = shape.stored().map(|(name, dimension)| {
            let params = VectorParams {
                size: dimension as u64,
                distance: Distance::Cosine.into(),
                on_disk: self.vectors_on_disk,
                ..VectorParams::default()
            };
            (name, params)
        });
        CreateCollection {
            vectors_config: Some(vectors_config::Config::ParamsMap(VectorParamsMap { map: vectors.collect() }).into()),
            sparse_vectors_config: Some(self.words_config()),
            hnsw_config: Some(self.hnsw_config()),
            optimizers_config: Some(self.optimizers_config()),
            quantization_config: self.scalar().map(|scalar| QuantizationConfig {
                quantization: Some(quantization_config::Quantization::Scalar(scalar)),
            }),
            write_consistency_factor: Some(self.write_consistency_factor),
            on_disk_payload: Some(self.payload_on_disk),
            ..CreateCollection::default()
        }
    }

    /// The change of the collection `name` to these settings.
    pub(super) fn update(&self, name: &str, shape: &Shape, timeout_s: u64) -> UpdateCollection {
        let vector = VectorParamsDiff { on_disk: self.vectors_on_disk, ..VectorParamsDiff::default() };
        let vectors = shape.stored().map(|(name, _)| (name, vector)).collect();
        let quantization = match self.scalar() {
            Some(scalar) => quantization_config_diff::Quantization::Scalar(scalar),
            None => quantization_config_diff::Quantization::Disabled(Disabled {}),
        };
        UpdateCollection {
            collection_name: name.to_owned(),
            params: Some(CollectionParamsDiff {
                write_consistency_factor: Some(self.write_consistency_factor),
                on_disk_payload: Some(self.payload_on_disk),
                ..CollectionParamsDiff::default()
            }),
            vectors_config: Some(vectors_config_diff::Config::ParamsMap(VectorParamsDiffMap { map: vectors }).into()),
            sparse_vectors_config: Some(self.words_config()),
            hnsw_config: Some(self.hnsw_config()),
            optimizers_config: Some(self.optimizers_config()),
            quantization_config: Some(quantization.into()),
            timeout: Some(timeout_s),
            ..UpdateCollection::default()
        }
    }

    fn hnsw_config(&self) -> HnswConfigDiff {
        HnswConfigDiff {
            m: Some(self.m),
            ef_construct: Some(self.ef_construct),
            full_scan_threshold: Some(self.full_scan_threshold_kb),
            max_indexing_threads: Some(self.indexing_threads),
            ..HnswConfigDiff::default()
        }
    }

    fn optimizers_config(&self) -> OptimizersConfigDiff {
        OptimizersConfigDiff { indexing_threshold: self.indexing_threshold_kb, ..OptimizersConfigDiff::default() }
    }

    fn words_config(&self) -> SparseVectorConfig {
        let words = SparseVectorParams {
            index: Some(SparseIndexConfig { on_disk: self.vectors_on_disk, ..SparseIndexConfig::default() }),
            modifier: Some(Modifier::Idf.into()),
        };
        SparseVectorConfig { map: HashMap::from([(WORDS.to_owned(), words)]) }
    }

    fn scalar(&self) -> Option<ScalarQuantization> {
        /// The share of the numbers that the range of a byte is laid over; the outermost are cut off.
        const QUANTILE: f32 = 0.99;
        (self.quantization == Quantization::Scalar).then(|| ScalarQuantization {
            r#type: QuantizationType::Int8.into(),
            quantile: Some(QUANTILE),
            always_ram: Some(true),
            ..ScalarQuantization::default()
        })
    }
}

fn vectors_on_disk(params: &CollectionParams) -> Option<bool> {
    let dense = params.vectors_config.as_ref().and_then(|vectors| vectors.config.as_ref());
    let sparse = params.sparse_vectors_config.as_ref().map(|sparse| &sparse.map);
    let mut found: Vec<bool> = match dense {
        Some(vectors_config::Config::ParamsMap(map)) => map.map.values().map(|vector| vector.on_disk).collect(),
        Some(vectors_config::Config::Params(vector)) => vec![vector.on_disk],
        None => Vec::new(),
    }
    .into_iter()
    .map(|on_disk| on_disk.unwrap_or(false))
    .collect();
    let words = sparse.into_iter().flat_map(HashMap::values);
    found.extend(words.map(|words| words.index.and_then(|index| index.on_disk).unwrap_or(false)));
    let first = found.first().copied()?;
    found.iter().all(|on_disk| *on_disk == first).then_some(first)
}
