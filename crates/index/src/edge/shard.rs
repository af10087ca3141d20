//! An open index folder: opening, writing, making durable, and closing it to cut its log.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use qdrant_edge::{
    CreateIndex, EdgeConfig, EdgeShard, FieldIndexOperations, IntegerIndexParams, KeywordIndexParams,
    PayloadFieldSchema, PayloadSchemaParams, PointOperations, UpdateOperation,
};
use sensorium_domain::IndexError;

use super::deletions::{self, Deletions};
use super::error::{catching, from_edge};
use super::{filter, log, recovery};
use crate::payload::{FIELD_INDEXES, FieldIndex};

/// A folder of the library, which is entered by many threads at once. Writing and making durable must not meet: callers see to that.
pub(super) struct Shard {
    folder: PathBuf,
    config: EdgeConfig,
    deletions: Deletions,
    /// `None` after the folder could not be opened again.
    open: RwLock<Option<EdgeShard>>,
}

impl Shard {
    /// Opens the folder, or builds it where there is nothing.
    pub(super) fn open(folder: &Path, config: EdgeConfig) -> Result<Self, IndexError> {
        fs::create_dir_all(folder)
            .map_err(|error| IndexError::Unavailable(format!("{}: {error}", folder.display())))?;
        let was_open = recovery::mark_open(folder)?;
        let is_new = !folder.join("edge_config.json").exists() && !folder.join("segments").exists();
        let shard = if is_new {
            catching(|| EdgeShard::new(folder, config.clone()))
                .map_err(IndexError::Internal)?
                .map_err(|error| from_edge(&error))?
        } else {
            load(folder, config.clone())?
        };
        let shard =
            Self { folder: folder.to_owned(), config, deletions: Deletions::default(), open: RwLock::new(Some(shard)) };
        let mut is_changed = shard.create_field_indexes()?;
        is_changed |= shard.delete_left_over()?;
        is_changed |= was_open && shard.unite_doubles()?;
        if is_changed {
            shard.flush()?;
        }
        shard.forget_deletions()?;
        Ok(shard)
    }

    /// Whether there were any.
    fn delete_left_over(&self) -> Result<bool, IndexError> {
        let ids =
            deletions::left_over(&self.folder).map_err(|error| IndexError::Corrupt(format!("deletions: {error}")))?;
        if ids.is_empty() {
            return Ok(false);
        }
        tracing::warn!(points = ids.len(), "deletions that a crash had undone are repeated");
        self.update(PointOperations::DeletePoints { ids })?;
        Ok(true)
    }

    /// Whether there were any.
    fn unite_doubles(&self) -> Result<bool, IndexError> {
        let doubles = self.with(|shard| Ok(catching(|| recovery::unite_doubles(shard))))?;
        let doubles = doubles.map_err(IndexError::Corrupt)?.map_err(|error| from_edge(&error))?;
        if doubles > 0 {
            tracing::warn!(doubles, "points that a crash had left twice are united");
        }
        Ok(doubles > 0)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs `work` on the library's shard.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&EdgeShard) -> qdrant_edge::OperationResult<T>,
    ) -> Result<T, IndexError> {
        let guard = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let shard = guard.as_ref().ok_or_else(|| IndexError::Unavailable("the index folder is closed".to_owned()))?;
        work(shard).map_err(|error| from_edge(&error))
    }

    /// Changes points.
    pub(super) fn update(&self, operation: PointOperations) -> Result<(), IndexError> {
        self.with(|shard| shard.update(UpdateOperation::PointOperation(operation)))
    }

    /// What `optimize` makes the library forget.
    pub(super) fn deletions(&self) -> &Deletions {
        &self.deletions
    }

    /// To be called after a flush, when no `optimize` runs.
    pub(super) fn forget_deletions(&self) -> Result<(), IndexError> {
        self.deletions.forget(&self.folder).map_err(|error| IndexError::Internal(format!("deletions: {error}")))
    }

    /// Writes all that is in memory to the disk. No write may run meanwhile.
    pub(super) fn flush(&self) -> Result<(), IndexError> {
        self.flush_library()?;
        self.deletions.save(&self.folder).map_err(|error| IndexError::Internal(format!("deletions: {error}")))
    }

    fn flush_library(&self) -> Result<(), IndexError> {
        /// The library gives up where a running `optimize` swaps index segments; that takes moments.
        const ATTEMPTS: u32 = 200;
        let mut attempt = 1;
        loop {
            let outcome = self.with(|shard| {
                // Waits for the swap, if there is one, since `flush` itself does not.
                shard.info();
                Ok(catching(|| shard.flush()))
            })?;
            match outcome {
                Ok(()) => return Ok(()),
                Err(reason) if !reason.contains("lock acquired") || attempt == ATTEMPTS => {
                    return Err(IndexError::Internal(format!("flush: {reason}")));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
            attempt += 1;
        }
    }

    /// Builds graphs and merges index segments until there is nothing left to do; whether there was anything.
    pub(super) fn optimize(&self) -> Result<bool, IndexError> {
        self.with(|shard| Ok(catching(|| shard.optimize())))?
            .map_err(|reason| IndexError::Internal(format!("optimize: {reason}")))?
            .map_err(|error| from_edge(&error))
    }

    /// Closes the folder, cuts the log and opens it again, when the log is larger than `limit` bytes. Searches wait meanwhile.
    pub(super) fn cut_log(&self, limit: u64) -> Result<(), IndexError> {
        if log::size(&self.folder) <= limit {
            return Ok(());
        }
        let mut guard = self.open.write().unwrap_or_else(PoisonError::into_inner);
        // Closing flushes.
        let closed = guard.take();
        catching(|| drop(closed)).map_err(IndexError::Internal)?;
        *guard = Some(load(&self.folder, self.config.clone())?);
        Ok(())
    }

    /// Whether any was missing.
    fn create_field_indexes(&self) -> Result<bool, IndexError> {
        let mut is_changed = false;
        let present = self.with(|shard| Ok(shard.info()))?.payload_schema;
        for (name, index) in FIELD_INDEXES {
            let path = filter::path(name)?;
            if present.contains_key(&path) {
                continue;
            }
            let create = FieldIndexOperations::CreateIndex(CreateIndex {
                field_name: path,
                field_schema: Some(PayloadFieldSchema::FieldParams(field_params(index))),
            });
            self.with(|shard| shard.update(UpdateOperation::FieldIndexOperation(create)))?;
            is_changed = true;
        }
        Ok(is_changed)
    }
}

fn field_params(index: FieldIndex) -> PayloadSchemaParams {
    match index {
        FieldIndex::Keyword { is_tenant, is_hot } => PayloadSchemaParams::Keyword(KeywordIndexParams {
            is_tenant: is_tenant.then_some(true),
            on_disk: Some(!is_hot),
            enable_hnsw: Some(is_hot),
            ..KeywordIndexParams::default()
        }),
        FieldIndex::Moment => PayloadSchemaParams::Integer(IntegerIndexParams {
            lookup: Some(false),
            range: Some(true),
            on_disk: Some(true),
            enable_hnsw: Some(false),
            ..IntegerIndexParams::default()
        }),
    }
}

impl Drop for Shard {
    /// The library flushes when it is closed, and panics when it cannot.
    fn drop(&mut self) {
        let slot = self.open.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(closed) = slot.take() else {
            return;
        };
        match catching(|| drop(closed)) {
            Ok(()) => {
                if self.deletions.forget(&self.folder).is_ok() {
                    recovery::mark_closed(&self.folder);
                }
            }
            Err(reason) => {
                tracing::error!(folder = %self.folder.display(), reason, "the index could not be flushed at its end");
            }
        }
    }
}

fn load(folder: &Path, config: EdgeConfig) -> Result<EdgeShard, IndexError> {
    log::cut(folder)
        .and_then(|()| recovery::remove_leftovers(folder))
        .map_err(|error| IndexError::Unavailable(format!("{}: {error}", folder.display())))?;
    catching(|| EdgeShard::load(folder, Some(config))).map_err(IndexError::Corrupt)?.map_err(|error| {
        let text = error.to_string();
        if text.contains("WouldBlock") {
            return IndexError::Unavailable(format!("{} is open in another process", folder.display()));
        }
        IndexError::Corrupt(text)
    })
}
