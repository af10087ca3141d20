//! The job: bring a generation up to date while everything goes on, compare, hold the other jobs for a moment, switch.

use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use sensorium_domain::catalog::{Generation, GenerationState, JobEnd, Staged, Unstaged};
use sensorium_domain::job::Progress;
use sensorium_domain::{CatalogError, IndexError};

use crate::error::{ApiError, Code};
use crate::ingest::{Unkept, ingest_part};
use crate::jobs::{JobFailure, Running};
use crate::reindex::compare::compare;
use crate::startup::{self, App, StartupError};

/// Rounds of catching up while others work; after them the others are held whatever is left.
const ROUNDS: usize = 10;
/// What is left may be so little that nobody minds waiting for it.
const FEW: u64 = 32;
/// Documents that are read before the index is made durable and their rows are written.
const PAGE: u32 = 64;

/// Runs a reindex. Safe to run again at any point: what the generation has already is written down.
pub async fn reindex(app: &App, running: &Running, number: u32) -> Result<(), JobFailure> {
    let generations = app.catalog.generations().await?;
    let generation = generations.iter().find(|known| known.number == number);
    let generation = generation.ok_or(JobFailure::Gone("generation"))?;
    if generation.state == GenerationState::Live {
        app.catalog.end_job(&running.lease, JobEnd::Succeeded { parts: Vec::new() }).await?;
        return Ok(());
    }
    let work = Work { app, running, beside: open_beside(app, generation).await? };
    let mut progress = Progress { stage: "encode".to_owned(), ..Progress::default() };
    for _ in 0..ROUNDS {
        if work.catch_up(&mut progress).await? <= FEW {
            break;
        }
    }
    work.stage(&mut progress, "compare").await?;
    let recall = compare(app, &work.beside, running).await?;
    tracing::info!(number, recall.queries, recall.overlap, "the generations were compared");
    if recall.overlap < generation.min_overlap {
        let detail = format!(
            "generation {number} finds {:.3} of what the live one finds (over {} recent searches), and {:.3} was asked for; it is kept, and not live",
            recall.overlap, recall.queries, generation.min_overlap
        );
        return Err(ApiError::new(Code::Conflict, detail).into());
    }
    work.stage(&mut progress, "switch").await?;
    while app.catalog.hold_jobs(&running.lease, number).await? > 0 {
        running.check()?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    work.catch_up(&mut progress).await?;
    app.catalog.switch_generation(&running.lease, number, Some(recall)).await?;
    tracing::info!(number, profile = %generation.profile, "the generation is live");
    app.overtaken.notify_one();
    remove_older(app, &generations, number).await;
    Ok(())
}

async fn open_beside(app: &App, generation: &Generation) -> Result<App, JobFailure> {
    let (beside, towers, is_fresh) = startup::beside(app, generation).await.map_err(|error| {
        let passes = matches!(error, StartupError::Index(IndexError::Unavailable(_)));
        ApiError::new(if passes { Code::Unavailable } else { Code::Conflict }, error.to_string())
    })?;
    if generation.towers.is_empty() {
        let described = Generation { profile: beside.profile.name.clone(), towers, ..generation.clone() };
        app.catalog.describe_generation(&described).await?;
    } else if generation.towers != towers {
        let detail =
            format!("the models of generation {} are no longer those that it was built with", generation.number);
        return Err(ApiError::new(Code::Conflict, detail).into());
    }
    if is_fresh {
        // An index that was lost: whatever it had is brought again, from kept vectors where there are any.
        app.catalog.unstage(generation.number, None).await?;
    }
    Ok(beside)
}

/// The live generation and the one before it stay.
async fn remove_older(app: &App, generations: &[Generation], live: u32) {
    let before = generations.iter().find(|known| known.state == GenerationState::Live).map(|known| known.number);
    for old in generations.iter().map(|known| known.number).filter(|old| *old != live && Some(*old) != before) {
        let removed = async {
            startup::remove_index(&app.config, old).await?;
            app.catalog.drop_generation(old).await?;
            Ok::<_, StartupError>(())
        };
        match removed.await {
            Ok(()) => tracing::info!(old, "a generation is removed"),
            Err(error) => tracing::warn!(%error, old, "a generation was not removed; the next reindex tries again"),
        }
    }
}

/// A reindex under way.
struct Work<'a> {
    app: &'a App,
    running: &'a Running,
    /// The application as it will be: the other profile, the other index, the other segments.
    beside: App,
}

impl Work<'_> {
    async fn stage(&self, progress: &mut Progress, stage: &str) -> Result<(), JobFailure> {
        stage.clone_into(&mut progress.stage);
        self.running.check()?;
        Ok(self.app.catalog.progress(&self.running.lease, progress).await?)
    }

    /// Brings what the generation lacks and removes what is no more; how many documents that were.
    async fn catch_up(&self, progress: &mut Progress) -> Result<u64, JobFailure> {
        let number = self.beside.generation;
        let mut changed = self.remove_gone().await?;
        progress.total = progress.done + self.app.catalog.count_unstaged(number).await?;
        let mut after = None;
        loop {
            let page = self.app.catalog.unstaged(number, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(changed) };
            after = Some(last.document.id);
            changed += page.len() as u64;
            let side_by_side = self.app.config.jobs.media_workers;
            let read: Vec<(Option<Staged>, Progress)> = stream::iter(page)
                .map(|lacking| self.read(lacking))
                .buffer_unordered(side_by_side)
                .try_collect()
                .await?;
            self.beside.index.flush().await?;
            for (staged, part) in read {
                progress.done += 1;
                progress.segments += part.segments;
                progress.reused += part.reused;
                if let Some(staged) = staged {
                    self.beside.catalog.stage(&self.running.lease, staged).await?;
                }
            }
            self.running.check()?;
            self.app.catalog.progress(&self.running.lease, progress).await?;
        }
    }

    async fn remove_gone(&self) -> Result<u64, JobFailure> {
        let mut removed = 0;
        loop {
            let gone = self.app.catalog.gone_documents(self.beside.generation, PAGE).await?;
            if gone.is_empty() {
                return Ok(removed);
            }
            for (tenant, document) in &gone {
                self.beside.index.delete_document(tenant, *document).await?;
            }
            self.beside.index.flush().await?;
            for (_, document) in gone {
                self.app.catalog.unstage(self.beside.generation, Some(document)).await?;
                removed += 1;
            }
        }
    }

    /// Writes the points of a document; what is to be written of it to the catalog. Nothing of one that goes meanwhile.
    async fn read(&self, lacking: Unstaged) -> Result<(Option<Staged>, Progress), JobFailure> {
        let Unstaged { tenant, document, version, had_another } = lacking;
        let mut progress = Progress::default();
        if had_another {
            self.beside.index.delete_document(&tenant, document.id).await?;
        }
        let parts = match self.app.catalog.parts(&tenant, document.id, Some(version)).await {
            Err(CatalogError::NotFound(_)) => return Ok((None, progress)),
            parts => parts?,
        };
        let (mut segments, mut unkept) = (Vec::new(), Unkept::default());
        for part in &parts {
            self.running.check()?;
            let part = (&tenant, &document, part);
            let outcome = ingest_part(&self.beside, self.running, part, &mut progress, &mut unkept).await?;
            segments.extend(outcome.result.into_iter().flatten());
        }
        unkept.keep(&self.beside, &tenant).await?;
        let staged = Staged { tenant, document: document.id, version, updated_at: document.updated_at, segments };
        Ok((Some(staged), progress))
    }
}
