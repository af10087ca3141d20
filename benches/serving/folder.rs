//! A data folder, or a catalog and an index of servers, with many segments, written as ingests would have left it, but with made-up vectors.
//!
//! Vectors lie in clusters around the embeddings of sentences of the kind that is asked later, so a search is as near to
//! what it finds as a real one. Of ten segments six are texts, two are pictures and two are sounds.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::future::try_join_all;
use sensorium::config;
use sensorium::ingest::rebuild_document;
use sensorium::startup::{self, App};
use sensorium_domain::catalog::{BlobState, ClaimId, NewDocument, NewPart, NewVector, PartOutcome, StorageQuota};
use sensorium_domain::document::PartFacts;
use sensorium_domain::{
    BlobHash, ContentKey, DocumentId, EncodeInput, JobId, Modality, Part, PartId, Place, Priority, Segment, SegmentId,
    SegmentKind, TenantId,
};
use serde_json::json;

use crate::content::{self, Random};

/// Segments of a document.
pub const PER_DOCUMENT: usize = 100;
const TOPICS: u64 = 200;
/// Length of what is added to a topic's vector, whose length is 1.
const SPREAD: f32 = 0.7;

/// A part's modality, file type, kind of segments, and its share of a hundred segments.
const PARTS: [(Modality, &str, SegmentKind, usize); 3] = [
    (Modality::Text, "text/plain", SegmentKind::Chunk, 60),
    (Modality::Image, "image/svg+xml", SegmentKind::Tile, 20),
    (Modality::Audio, "audio/wav", SegmentKind::Window, 20),
];

/// Makes a folder with so many segments, indexed.
pub async fn fill(folder: &Path, segments: usize) {
    let begun = Instant::now();
    let overrides = vec![("storage.data_dir", folder.display().to_string())];
    let config = config::load(None, std::iter::empty(), overrides).expect("settings");
    let app = startup::start(config).await.expect("an application");
    add(&app, &app.config.auth.first_tenant, segments / PER_DOCUMENT, 7).await;
    app.index.flush().await.unwrap();
    let written = begun.elapsed();
    let begun = Instant::now();
    while app.index.optimize().await.unwrap() {}
    app.index.flush().await.unwrap();
    let stats = app.index.stats().await.unwrap();
    println!(
        "\n{} points of {} documents written in {:.1} s, graphs over {} of them in {:.1} s, {} MiB of index",
        stats.points,
        segments / PER_DOCUMENT,
        written.as_secs_f64(),
        stats.indexed,
        begun.elapsed().as_secs_f64(),
        stats.disk_bytes.unwrap_or(0) >> 20
    );
}

/// Adds documents to a tenant. Equal seeds give equal texts and vectors.
pub async fn add(app: &App, tenant: &TenantId, documents: usize, seed: u64) {
    let mut filler = Filler::new(app, tenant.clone(), seed).await;
    for number in 0..documents {
        filler.add(number).await;
    }
}

struct Filler<'a> {
    app: &'a App,
    tenant: TenantId,
    topics: Vec<Vec<f32>>,
    contents: Vec<Bytes>,
    random: Random,
}

impl<'a> Filler<'a> {
    async fn new(app: &'a App, tenant: TenantId, seed: u64) -> Self {
        let space = &app.profile.encoder.spaces()[0];
        let encoding = (0..TOPICS).map(|number| {
            let input = EncodeInput::Text(Arc::from(content::sentence(&mut Random::new(number))));
            app.profile.encoder.encode(&space.name, input, Priority::Bulk)
        });
        let topics = try_join_all(encoding).await.expect("vectors");
        let mut random = Random::new(seed);
        let text = content::text(&mut random, 6).into_bytes();
        let svg =
            br#"<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M1 1h7v7z"/></svg>"#.to_vec();
        let contents = vec![text.into(), svg.into(), content::sound(&mut random).into()];
        Self { app, tenant, topics, contents, random }
    }

    async fn add(&mut self, number: usize) {
        let (app, tenant) = (self.app, self.tenant.clone());
        let claim = self.claim().await;
        let now = app.clock.now();
        let parts = PARTS.iter().zip(&self.contents).map(|((modality, media_type, ..), content)| NewPart {
            id: PartId::new(now, app.randomness()),
            name: None,
            modality: *modality,
            media_type: (*media_type).to_owned(),
            blob: BlobHash::of(content),
            size_bytes: content.len() as u64,
            bytes: None,
            error: None,
        });
        let metadata = json!({"year": 2000 + number % 25, "shelf": {"row": number % 40, "room": "north"}});
        let new = NewDocument {
            id: DocumentId::new(now, app.randomness()),
            job: JobId::new(now, app.randomness()),
            collection: "default".parse().unwrap(),
            external_id: Some(format!("made-up-{number}")),
            title: Some(content::sentence(&mut self.random)),
            tags: vec![format!("tag-{}", number % 30), "made up".to_owned()],
            metadata: metadata.as_object().cloned().unwrap(),
            parts: parts.collect(),
            claim,
            stored: Vec::new(),
            once: None,
            quota: StorageQuota::default(),
            taker: None,
        };
        let (document, _) = app.catalog.accept_document(&tenant, new).await.unwrap();
        let lease = app.catalog.lease_job("bench", 600_000).await.unwrap().expect("the document's job");
        let parts = app.catalog.parts(&tenant, document.id, Some(document.version)).await.unwrap();
        let (mut outcomes, mut vectors) = (Vec::new(), Vec::new());
        for (part, (modality, _, kind, count)) in parts.iter().zip(PARTS) {
            let segments: Vec<Segment> = (0..count as u32).map(|ordinal| self.segment(part, kind, ordinal)).collect();
            let model = &app.profile.encoder.spaces()[0].tower(modality).expect("a tower").model;
            vectors.extend(segments.iter().map(|segment| NewVector {
                model: model.clone(),
                content: segment.content,
                vector: self.vector(),
            }));
            outcomes.push(PartOutcome { part: part.id, facts: PartFacts::default(), result: Ok(segments) });
        }
        app.catalog
            .finish_ingest(&lease, document.version, outcomes, vectors, &sensorium_domain::job::Progress::default())
            .await
            .unwrap();
        rebuild_document(app, &tenant, &document).await.unwrap();
    }

    async fn claim(&self) -> ClaimId {
        let (app, tenant) = (self.app, &self.tenant);
        let claim = ClaimId(app.randomness());
        let blobs: Vec<_> = self.contents.iter().map(|content| (BlobHash::of(content), content.len() as u64)).collect();
        let expires = app.clock.now().plus_ms(600_000);
        let states = app.catalog.claim_blobs(tenant, claim, &blobs, expires).await.unwrap();
        for ((content, (hash, _)), state) in self.contents.iter().zip(&blobs).zip(states) {
            if state == BlobState::Missing {
                app.blobs.put(tenant, *hash, content.clone()).await.expect("a stored blob");
                app.catalog.blobs_stored(tenant, claim, &[*hash]).await.unwrap();
            }
        }
        claim
    }

    fn segment(&mut self, part: &Part, kind: SegmentKind, ordinal: u32) -> Segment {
        let place = match part.modality {
            Modality::Text => {
                Place::Characters { start_char: ordinal * 600, end_char: ordinal * 600 + 600, heading: None }
            }
            Modality::Image => Place::Region { x_px: ordinal, y_px: 0, width_px: 8, height_px: 8 },
            _ => Place::Time { start_ms: u64::from(ordinal) * 2_000, end_ms: u64::from(ordinal) * 2_000 + 4_000 },
        };
        Segment {
            id: SegmentId::derive(part.id, kind.as_str(), ordinal),
            document: part.document,
            part: part.id,
            modality: part.modality,
            kind,
            ordinal,
            place,
            text: (part.modality == Modality::Text).then(|| content::text(&mut self.random, 6)),
            content: ContentKey::of(&[part.id.to_string().as_bytes(), &ordinal.to_be_bytes()]),
        }
    }

    /// A unit vector near a topic.
    fn vector(&mut self) -> Vec<f32> {
        let topic = self.random.below(self.topics.len());
        let noise: Vec<f32> = self.topics[topic].iter().map(|_| self.random.unit() - 0.5).collect();
        let scale = SPREAD / length(&noise);
        let mut vector: Vec<f32> =
            self.topics[topic].iter().zip(noise).map(|(middle, noise)| middle + scale * noise).collect();
        let length = length(&vector);
        for value in &mut vector {
            *value /= length;
        }
        vector
    }
}

fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|value| value * value).sum::<f32>().sqrt()
}
