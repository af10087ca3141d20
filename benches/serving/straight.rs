//! Qdrant asked by its own client, as a program of ten lines would: what a search through the server is compared with.

use std::time::{Duration, Instant};

use qdrant_client::Qdrant;
use qdrant_client::qdrant::{
    CollectionStatus, Condition, Filter, Query, QueryBatchPointsBuilder, QueryPoints, QueryPointsBuilder, ScoredPoint,
    SearchParamsBuilder,
};

/// The stored vectors of the `starter` profile, by modality.
const MODALITIES: [&str; 3] = ["text", "image", "audio"];

/// A client of one collection.
pub struct Straight {
    client: Qdrant,
    collection: String,
}

impl Straight {
    /// Of the first generation of the index `name`.
    pub fn new(url: &str, name: &str) -> Self {
        let client = Qdrant::from_url(url).timeout(Duration::from_mins(1)).build().expect("a client");
        Self { client, collection: format!("{name}_g1") }
    }

    /// Waits until the server has built the graphs that it wants. Returns points and those of them that are in a graph.
    pub async fn wait_for_graphs(&self) -> (u64, u64) {
        let mut green = 0;
        loop {
            let info = Box::pin(self.client.collection_info(&self.collection)).await.expect("a collection");
            let info = info.result.expect("its state");
            green = if info.status() == CollectionStatus::Green { green + 1 } else { 0 };
            if green == 3 {
                return (info.points_count.unwrap_or(0), info.indexed_vectors_count.unwrap_or(0));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    fn query(&self, tenant: &str, modality: &str, vector: &[f32], limit: u64, exact: bool) -> QueryPointsBuilder {
        QueryPointsBuilder::new(&self.collection)
            .query(Query::new_nearest(vector.to_vec()))
            .using(format!("shared.{modality}"))
            .filter(Filter::must([Condition::matches("tenant", tenant.to_owned())]))
            .params(SearchParamsBuilder::default().hnsw_ef(128).exact(exact))
            .limit(limit)
    }

    /// The ten nearest texts with what is stored of them. Milliseconds.
    pub async fn ten_texts(&self, tenant: &str, vector: &[f32]) -> f64 {
        let query = self.query(tenant, "text", vector, 10, false).with_payload(true);
        let begun = Instant::now();
        let found = Box::pin(self.client.query(query)).await.expect("an answer").result;
        let ms = begun.elapsed().as_secs_f64() * 1_000.0;
        assert_eq!(found.len(), 10);
        ms
    }

    /// Ids and scores of the 300 nearest of each modality, in one request. Milliseconds.
    pub async fn legs(&self, tenant: &str, vector: &[f32]) -> f64 {
        let legs: Vec<QueryPoints> =
            MODALITIES.iter().map(|modality| self.query(tenant, modality, vector, 300, false).into()).collect();
        let batch = QueryBatchPointsBuilder::new(&self.collection, legs);
        let begun = Instant::now();
        let found = Box::pin(self.client.query_batch(batch)).await.expect("an answer").result;
        let ms = begun.elapsed().as_secs_f64() * 1_000.0;
        assert!(found.iter().all(|list| list.result.len() == 300));
        ms
    }

    /// The ten nearest texts, every one compared.
    pub async fn nearest_texts(&self, tenant: &str, vector: &[f32]) -> Vec<ScoredPoint> {
        let query = self.query(tenant, "text", vector, 10, true);
        Box::pin(self.client.query(query)).await.expect("an answer").result
    }
}
