//! The stories of the port's contract.

use sensorium_domain::contract::index::spaces;
use sensorium_index::{EdgeIndex, EdgeOptions};
use tempfile::TempDir;

fn fresh() -> (EdgeIndex, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let index = EdgeIndex::open(folder.path(), &spaces(), EdgeOptions::default()).unwrap();
    (index, folder)
}

sensorium_domain::index_contract!(fresh());
