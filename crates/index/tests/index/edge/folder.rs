//! Folders: built once, opened again, refused where they do not fit or cannot be read.

use std::fs;
use std::path::Path;

use sensorium_domain::index::{IndexedSpace, Scope};
use sensorium_domain::{IndexError, Modality, SpaceName, VectorIndex};
use sensorium_index::edge::OptimizerOptions;
use sensorium_index::{EdgeIndex, EdgeOptions, WordsOptions};
use serde_json::json;

use crate::sample::{acme, document, indexed, near, point, segment, space, spaces, tagged, vector};

fn open(folder: &Path) -> Result<EdgeIndex, IndexError> {
    EdgeIndex::open(folder, &spaces(), EdgeOptions::default())
}

#[tokio::test]
async fn what_was_flushed_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path()).unwrap();
    let points = (0..50).map(|number| point(number, 1)).collect();
    index.upsert(&acme(), points).await.unwrap();
    index.delete_document(&acme(), document(7)).await.unwrap();
    index.flush().await.unwrap();
    drop(index);

    let index = open(folder.path()).unwrap();
    assert_eq!(index.count(&acme(), &Scope::default()).await.unwrap(), 49);
    let legs = [near(vector(3, 1), 1)];
    let lists = index.query_batch(&acme(), &Scope::default(), &legs).await.unwrap();
    assert_eq!(lists[0][0].segment, segment(3));
    let facet = index.facet(&acme(), &Scope::default(), "tags", 5).await.unwrap();
    assert_eq!(facet, [("round-1".into(), 49)]);
    index.upsert(&acme(), vec![point(3, 2)]).await.unwrap();
    let rounds = index.count(&acme(), &tagged("round-2")).await.unwrap();
    assert_eq!(rounds, 1);
}

#[tokio::test]
async fn another_shape_is_a_mismatch_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path()).unwrap();
    index.upsert(&acme(), vec![point(1, 1)]).await.unwrap();
    index.flush().await.unwrap();
    drop(index);

    let wider = vec![indexed(space(), 128)];
    let other: SpaceName = "other".parse().unwrap();
    let renamed = vec![indexed(other.clone(), 64)];
    let more = vec![indexed(space(), 64), indexed(other, 64)];
    let fewer = vec![IndexedSpace { modalities: vec![Modality::Text], ..indexed(space(), 64) }];
    for shape in [wider, renamed, more, fewer, Vec::new()] {
        let opened = EdgeIndex::open(folder.path(), &shape, EdgeOptions::default());
        let error = opened.map(|_| ()).unwrap_err();
        assert!(matches!(error, IndexError::Mismatch(_)), "{error}");
        assert!(error.to_string().contains("shared(64 of text, "), "{error}");
    }
    let options = EdgeOptions {
        words: WordsOptions { language: "german".to_owned(), ..WordsOptions::default() },
        ..EdgeOptions::default()
    };
    let opened = EdgeIndex::open(folder.path(), &spaces(), options);
    assert!(matches!(opened, Err(IndexError::Mismatch(_))));

    let index = open(folder.path()).unwrap();
    assert_eq!(index.count(&acme(), &Scope::default()).await.unwrap(), 1);
}

#[tokio::test]
async fn another_format_is_told_from_damage() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let file = folder.path().join("sensorium-index.json");
    let before = json!({"version": 1, "spaces": {"shared": 64}, "words": {}});
    fs::write(&file, before.to_string()).unwrap();
    assert!(matches!(open(folder.path()), Err(IndexError::Outdated(_))));
    fs::write(&file, "{").unwrap();
    assert!(matches!(open(folder.path()), Err(IndexError::Corrupt(_))));
}

#[tokio::test]
async fn one_folder_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path()).unwrap();
    let second = open(folder.path());
    assert!(matches!(second, Err(IndexError::Unavailable(_))));
    index.upsert(&acme(), vec![point(1, 1)]).await.unwrap();
    drop(index);
    open(folder.path()).unwrap();
}

#[tokio::test]
async fn damaged_folders_are_said_to_be_damaged() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 5] = [
        ("shape", |folder| {
            fs::write(folder.join("sensorium-index.json"), "{").unwrap();
        }),
        ("segment state", |folder| {
            overwrite(&folder.join("segments"), "segment.json");
        }),
        ("id tracker", |folder| {
            overwrite(&folder.join("segments"), "mutable_id_tracker.versions");
            overwrite(&folder.join("segments"), "mutable_id_tracker.mappings");
        }),
        ("log", |folder| {
            overwrite(&folder.join("wal"), "open-");
        }),
        ("vectors", |folder| {
            overwrite(&folder.join("segments"), "config.json");
        }),
    ];
    for (name, damage) in damages {
        let folder = tempfile::tempdir().unwrap();
        let index = open(folder.path()).unwrap();
        let points = (0..20).map(|number| point(number, 1)).collect();
        index.upsert(&acme(), points).await.unwrap();
        index.flush().await.unwrap();
        drop(index);
        damage(folder.path());
        let opened = open(folder.path());
        let error = opened.map(|_| ()).expect_err(name);
        assert!(matches!(error, IndexError::Corrupt(_)), "{name}: {error}");
    }
}

/// Overwrites every file under `folder` whose name starts with `prefix`.
fn overwrite(folder: &Path, prefix: &str) -> usize {
    let mut done = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            done += overwrite(&path, prefix);
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)) {
            let length = fs::metadata(&path).unwrap().len() as usize;
            fs::write(&path, vec![0xa5; length.clamp(10, 1 << 20)]).unwrap();
            done += 1;
        }
    }
    done
}

#[tokio::test]
async fn the_log_is_cut_and_counting_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let options = EdgeOptions {
        optimizer: OptimizerOptions { log_limit_mb: 1, ..OptimizerOptions::default() },
        ..EdgeOptions::default()
    };
    let index = EdgeIndex::open(folder.path(), &spaces(), options.clone()).unwrap();
    let before = log_size(folder.path());
    for round in 1..=8 {
        for start in [0, 2_000] {
            let numbers = start..start + 2_000;
            let points = numbers.map(|number| point(number, round)).collect();
            index.upsert(&acme(), points).await.unwrap();
        }
        index.optimize().await.unwrap();
        let written = index.count(&acme(), &tagged(&format!("round-{round}"))).await.unwrap();
        assert_eq!(written, 4_000, "writes after the cut count as new");
    }
    let after = log_size(folder.path());
    assert!(after <= before + (16 << 20), "{before} bytes grew to {after}");
    drop(index);
    let index = EdgeIndex::open(folder.path(), &spaces(), options).unwrap();
    index.upsert(&acme(), vec![point(5, 99)]).await.unwrap();
    assert_eq!(index.count(&acme(), &tagged("round-99")).await.unwrap(), 1);
}

#[tokio::test]
async fn points_that_a_crash_left_twice_are_united() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path()).unwrap();
    let points = (0..60).map(|number| point(number, 1)).collect();
    index.upsert(&acme(), points).await.unwrap();
    drop(index);
    let segments = folder.path().join("segments");
    let old = fs::read_dir(&segments).unwrap().next().unwrap().unwrap();
    let kept = tempfile::tempdir().unwrap();
    copy(&old.path(), kept.path());

    let index = open(folder.path()).unwrap();
    let points = (0..30).map(|number| point(number, 2)).collect();
    index.upsert(&acme(), points).await.unwrap();
    drop(index);
    let twin = segments.join("11111111-2222-4333-8444-555555555555");
    copy(kept.path(), &twin);

    let index = open(folder.path()).unwrap();
    let doubled = index.count(&acme(), &Scope::default()).await.unwrap();
    assert_eq!(doubled, 120, "closed well, so nothing is looked for");
    drop(index);
    fs::write(folder.path().join("sensorium-index.open"), "").unwrap();

    let index = open(folder.path()).unwrap();
    assert_eq!(index.count(&acme(), &Scope::default()).await.unwrap(), 60);
    for (tag, count) in [("round-1", 30), ("round-2", 30)] {
        assert_eq!(index.count(&acme(), &tagged(tag)).await.unwrap(), count);
    }
    let legs = [near(vector(3, 2), 1)];
    let lists = index.query_batch(&acme(), &Scope::default(), &legs).await.unwrap();
    assert_eq!(lists[0][0].segment, segment(3));
    assert!(lists[0][0].score > 0.999);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn log_size(folder: &Path) -> u64 {
    fs::read_dir(folder.join("wal")).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}
