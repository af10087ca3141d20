//! The stories of the port's contract.

use sensorium_domain::contract::index::spaces;
use sensorium_index::QdrantIndex;

use super::fresh::Place;

async fn fresh() -> (QdrantIndex, Place) {
    let place = Place::shared();
    (place.open(&spaces()).await.unwrap(), place)
}

sensorium_domain::index_contract!(fresh().await);
