//! Three servers as one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sensorium_domain::index::Scope;
use sensorium_domain::{IndexError, VectorIndex};
use sensorium_index::{QdrantIndex, QdrantOptions};
use tokio::task::spawn_blocking;

use super::fresh::Place;
use super::process::Server;
use crate::sample::{acme, near, point, spaces, vector};

const POINTS: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_go_on_when_one_of_three_is_killed() {
    let mut servers = spawn_blocking(|| Server::start_cluster(3)).await.unwrap();
    let place = Place::on(servers[1].url());
    let options = QdrantOptions {
        replication_factor: 2.try_into().unwrap(),
        shard_number: Some(3.try_into().unwrap()),
        ..place.options()
    };
    let index = Arc::new(QdrantIndex::open(options.clone(), &spaces(), 1).await.unwrap());
    index.make_current().await.unwrap();
    index.upsert(&acme(), (0..POINTS).map(|number| point(number, 1)).collect()).await.unwrap();

    let (done, searched) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let searching = tokio::spawn({
        let (index, done, searched) = (index.clone(), done.clone(), searched.clone());
        async move {
            while !done.load(Ordering::Relaxed) {
                let number = searched.fetch_add(1, Ordering::Relaxed) % POINTS;
                let legs = [near(vector(number, 1), POINTS as usize)];
                let lists = index.query_batch(&acme(), &Scope::default(), &legs).await.unwrap();
                assert!(lists[0].len() >= POINTS as usize && lists[0][0].score > 0.999);
            }
        }
    });
    let another = async |count: u64| {
        let from = searched.load(Ordering::Relaxed);
        while searched.load(Ordering::Relaxed) < from + count && !searching.is_finished() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    another(20).await;
    // The first founded the cluster and leads it, and holds copies of two of the three shards.
    servers[0].kill();
    another(20).await;
    // Writes go on as soon as the others know.
    while let Err(error) = index.upsert(&acme(), vec![point(POINTS, 1)]).await {
        assert!(matches!(error, IndexError::Unavailable(_)), "{error}");
    }
    another(20).await;
    done.store(true, Ordering::Relaxed);
    searching.await.unwrap();
    assert_eq!(index.count(&acme(), &Scope::default()).await.unwrap(), POINTS + 1);

    let third = QdrantOptions { url: servers[2].url(), ..options };
    let elsewhere = QdrantIndex::open(third, &spaces(), 1).await.unwrap();
    assert_eq!(elsewhere.count(&acme(), &Scope::default()).await.unwrap(), POINTS + 1);
}
