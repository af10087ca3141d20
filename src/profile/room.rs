//! The memory that a profile's models share.

use std::sync::Arc;

use sensorium_domain::encoder::Tower;
use sensorium_models::ModelError;
use tokio::runtime::Handle;

use super::ProfileError;
use crate::on_demand::{Memory, OnDemandTower, ReadError};

/// What the settings leave to the models.
pub(super) struct Room {
    budget_bytes: Option<u64>,
    memory: Arc<Memory>,
    runtime: Handle,
}

impl Room {
    /// Of so many bytes for all models; 0 is without a bound. What is read later is read on threads of `runtime`.
    pub fn new(budget_bytes: u64, runtime: Handle) -> Self {
        let budget_bytes = Some(budget_bytes).filter(|bytes| *bytes > 0);
        Self { budget_bytes, memory: Arc::new(Memory::new(budget_bytes)), runtime }
    }

    /// Whether models may have to make room for each other.
    pub fn is_bounded(&self) -> bool {
        self.budget_bytes.is_some()
    }

    /// The memory for a model of so many bytes, which may take all of it.
    pub fn of(&self, model: &str, bytes: u64) -> Result<Arc<Memory>, ProfileError> {
        match self.budget_bytes {
            Some(budget) if bytes > budget => Err(ProfileError::Memory { budget, model: model.to_owned(), bytes }),
            _ => Ok(self.memory.clone()),
        }
    }

    /// A tower that is read now, in the place of others where there is no room beside them, and again whenever it had to make room. Blocks.
    pub fn tower(
        &self,
        name: String,
        bytes: u64,
        load: impl Fn() -> Result<Box<dyn Tower>, ModelError> + Send + Sync + 'static,
    ) -> Result<OnDemandTower, ProfileError> {
        let memory = self.of(&name, bytes)?;
        OnDemandTower::read((name, bytes), memory, self.runtime.clone(), load).map_err(|error| match error {
            ReadError::Model(error) => ProfileError::Model(error),
            ReadError::Panicked | ReadError::Stopped => ProfileError::Panicked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_model_may_take_all_and_none_more() {
        let room = Room::new(10, Handle::current());
        assert!(room.is_bounded() && room.of("a@1", 10).is_ok());
        let error = room.of("a@1", 11).err().unwrap().to_string();
        assert_eq!(error, "profile.memory_bytes: is 10; a@1 alone takes 11");
        let boundless = Room::new(0, Handle::current());
        assert!(!boundless.is_bounded() && boundless.of("a@1", u64::MAX).is_ok());
    }
}
