//! Qdrant Edge and a server beside each other.

use sensorium_domain::contract::index::{spaces, two_indexes_answer_alike};
use sensorium_index::{EdgeIndex, EdgeOptions};

use super::fresh::Place;

async fn told_the_same(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let edge = EdgeIndex::open(folder.path(), &spaces(), EdgeOptions::default()).unwrap();
    let place = Place::shared();
    let server = place.open(&spaces()).await.unwrap();
    two_indexes_answer_alike(&edge, &server, seed).await;
}

#[tokio::test]
async fn edge_and_server_answer_alike() {
    for seed in 1..=3 {
        told_the_same(seed).await;
    }
}
