//! Idempotency keys, API keys, generations, numbers.

use super::CatalogFixture;
use super::sample::{Conflict, HOUR_MS, NotFound, Stage, claim, refused, tenant};
use crate::catalog::{ApiKey, CatalogStats, Generation, GenerationState, IdempotencyState, NewDocument, ReservedKey};
use crate::ids::{BlobHash, KeyId};
use crate::job::JobState;
use crate::names::ModelName;
use crate::segment::Modality;

/// New, in flight, replayed, mismatched, forgotten, expired.
pub async fn idempotency_keys_answer_once(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let (request, another) = (BlobHash::of(b"request"), BlobHash::of(b"another"));
    let begin =
        async |tenant, key, request| catalog.idempotency_begin(tenant, key, request, stage.in_an_hour()).await.unwrap();
    let reserved = |request| ReservedKey { key: "key".to_owned(), request, keep_until: stage.in_an_hour() };
    assert_eq!(begin(acme, "key", &request).await, IdempotencyState::New);
    assert_eq!(begin(acme, "key", &request).await, IdempotencyState::InFlight);
    assert_eq!(begin(acme, "key", &another).await, IdempotencyState::Mismatch);
    let umbrella = tenant("umbrella");
    assert_eq!(begin(&umbrella, "key", &another).await, IdempotencyState::New);

    catalog.idempotency_forget(acme, "key").await.unwrap();
    assert_eq!(begin(acme, "key", &another).await, IdempotencyState::New);
    let location = Some("/v1/jobs/1");
    refused(catalog.idempotency_finish(acme, &reserved(request), 202, location, "{}").await, NotFound);
    catalog.idempotency_finish(acme, &reserved(another), 202, location, "{}").await.unwrap();
    let replay = IdempotencyState::Replay { status: 202, location: location.map(str::to_owned), body: "{}".to_owned() };
    assert_eq!(begin(acme, "key", &another).await, replay);
    catalog.idempotency_forget(acme, "key").await.unwrap();
    assert_eq!(begin(acme, "key", &another).await, replay, "an answer is not forgotten");
    assert_eq!(begin(acme, "key", &request).await, IdempotencyState::Mismatch);
    stage.clock.advance(HOUR_MS);
    assert_eq!(begin(acme, "key", &request).await, IdempotencyState::New);

    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (catalog, acme, expires) = (catalog.clone(), acme.clone(), stage.in_an_hour());
        tasks.push(tokio::spawn(
            async move { catalog.idempotency_begin(&acme, "race", &request, expires).await.unwrap() },
        ));
    }
    let mut first = 0;
    for task in tasks {
        first += usize::from(task.await.unwrap() == IdempotencyState::New);
    }
    assert_eq!(first, 1);
}

/// A document and the key it was asked for under are one transaction: whoever repeats the request finds the job, also when
/// the first request never answers.
pub async fn a_key_is_taken_with_its_document(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let request = BlobHash::of(b"request");
    // A reservation lives as long as it is kept up, and no longer.
    let kept_up = ReservedKey { key: "kept up".to_owned(), request, keep_until: stage.in_an_hour() };
    let ask = async || catalog.idempotency_begin(acme, "kept up", &request, stage.in_an_hour()).await.unwrap();
    assert_eq!(ask().await, IdempotencyState::New);
    stage.clock.advance(HOUR_MS / 2);
    catalog.idempotency_extend(acme, &kept_up, stage.in_an_hour()).await.unwrap();
    stage.clock.advance(HOUR_MS / 2);
    assert_eq!(ask().await, IdempotencyState::InFlight);
    stage.clock.advance(HOUR_MS / 2);
    catalog.idempotency_extend(acme, &kept_up, stage.in_an_hour()).await.unwrap();
    assert_eq!(ask().await, IdempotencyState::New, "one that has run out is not brought back");

    let begin = async |until| catalog.idempotency_begin(acme, "key", &request, until).await.unwrap();
    let once = ReservedKey { key: "key".to_owned(), request, keep_until: stage.in_an_hour().plus_ms(HOUR_MS) };

    // A reservation that ran out is no licence: somebody else may have taken the key.
    let late = NewDocument { once: Some(once.clone()), ..stage.unstored(None, &[]) };
    refused(catalog.accept_document(acme, late.clone()).await, Conflict);
    refused(catalog.document(acme, late.id).await, NotFound);

    assert_eq!(begin(stage.in_an_hour()).await, IdempotencyState::New);
    let (document, job) = catalog.accept_document(acme, late.clone()).await.unwrap();
    assert_eq!(begin(stage.in_an_hour()).await, IdempotencyState::Accepted(job.id));
    let second = NewDocument { once: Some(once.clone()), ..stage.unstored(None, &[]) };
    refused(catalog.accept_document(acme, second.clone()).await, Conflict);
    refused(catalog.document(acme, second.id).await, NotFound);
    catalog.idempotency_forget(acme, "key").await.unwrap();
    stage.clock.advance(HOUR_MS);
    assert_eq!(begin(stage.in_an_hour()).await, IdempotencyState::Accepted(job.id), "kept longer than its reservation");

    catalog.idempotency_finish(acme, &once, 202, None, "{}").await.unwrap();
    let replay = IdempotencyState::Replay { status: 202, location: None, body: "{}".to_owned() };
    assert_eq!(begin(stage.in_an_hour()).await, replay);
    stage.clock.advance(HOUR_MS);
    assert_eq!(begin(stage.in_an_hour()).await, IdempotencyState::New, "and then it is free");
    assert_eq!(catalog.document(acme, document.id).await.unwrap().id, document.id);
}

/// A key is found by the hash of its secret and by nothing else.
pub async fn keys_are_found_by_their_secret(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let catalog = &stage.catalog;
    let key = ApiKey {
        id: KeyId::new(stage.clock_now(), 7),
        name: "laptop".to_owned(),
        tenant: stage.acme.clone(),
        scopes: vec!["read".to_owned(), "write".to_owned()],
        created_at: stage.clock_now(),
        expires_at: Some(stage.in_an_hour()),
        last_used_at: None,
        revoked_at: None,
    };
    let secret = BlobHash::of(b"secret");
    catalog.put_key(&key, &secret).await.unwrap();
    assert_eq!(catalog.key_by_secret(&secret).await.unwrap(), Some(key.clone()));
    assert_eq!(catalog.key_by_secret(&BlobHash::of(b"guess")).await.unwrap(), None);
    refused(catalog.put_key(&key, &BlobHash::of(b"other")).await, Conflict);
}

/// The live generation counts; none is overwritten.
pub async fn generations_are_only_added(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let catalog = &stage.catalog;
    assert_eq!(catalog.generation().await.unwrap(), None);
    let towers = vec![("shared".to_owned(), Modality::Text, ModelName("minilm@1".to_owned()))];
    let first = Generation {
        number: 1,
        profile: "starter".to_owned(),
        source: None,
        towers,
        state: GenerationState::Live,
        recall: None,
        min_overlap: 0.25,
        created_at: stage.clock_now(),
    };
    let state = GenerationState::Building;
    let second = Generation { number: 2, profile: "standard".to_owned(), state, ..first.clone() };
    catalog.put_generation(&first).await.unwrap();
    refused(catalog.put_generation(&Generation { number: 1, ..second.clone() }).await, Conflict);
    assert_eq!(catalog.generation().await.unwrap(), Some(first.clone()));
    refused(catalog.put_generation(&Generation { state: GenerationState::Live, ..second.clone() }).await, Conflict);
    catalog.put_generation(&second).await.unwrap();
    refused(catalog.put_generation(&second).await, Conflict);
    assert_eq!(catalog.generation().await.unwrap(), Some(first.clone()), "what is being built is not live");
    let source = Some("own.toml".to_owned());
    let third = Generation { number: 3, source, towers: Vec::new(), ..second.clone() };
    catalog.put_generation(&third).await.unwrap();
    let described = Generation { profile: "own".to_owned(), towers: second.towers.clone(), ..third };
    catalog.describe_generation(&described).await.unwrap();
    assert_eq!(catalog.generations().await.unwrap(), [first, second, described]);
    catalog.ping().await.unwrap();
}

/// What is counted is what is there: live segments, owned bytes, open jobs.
pub async fn numbers_add_up(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    assert_eq!(catalog.stats(acme).await.unwrap(), CatalogStats::default());
    let document = stage.ready(Some("a"), &["one", "three"]).await;
    stage.accept(Some("a"), &["three"]).await;
    let claimed = claim();
    stage.store(acme, claimed, "only claimed").await;
    let wanted = CatalogStats { collections: 1, documents: 1, segments: 4, blob_bytes: 8, open_jobs: 1 };
    assert_eq!(catalog.open_jobs().await.unwrap(), [(JobState::Queued, 1)]);
    assert_eq!(catalog.stats(acme).await.unwrap(), wanted);
    assert_eq!(catalog.stats(&tenant("umbrella")).await.unwrap(), CatalogStats::default());

    let ingest = stage.lease("worker").await;
    assert_eq!(catalog.open_jobs().await.unwrap(), [(JobState::Running, 1)]);
    stage.finish(&ingest, 1).await;
    assert_eq!(catalog.open_jobs().await.unwrap(), []);
    let wanted = CatalogStats { segments: 1, blob_bytes: 5, open_jobs: 0, ..wanted };
    assert_eq!(catalog.stats(acme).await.unwrap(), wanted);
    catalog.delete_document(acme, document.id, stage.job_id()).await.unwrap();
    let doomed = catalog.stats(acme).await.unwrap();
    assert_eq!((doomed.documents, doomed.segments, doomed.open_jobs), (0, 0, 1));
}
