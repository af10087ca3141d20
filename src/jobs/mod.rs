//! Background work: leases, heartbeats, attempts with back-off. What a job does stands in the use cases.

mod bell;
mod failure;
mod places;
mod running;
mod sweep;
mod threads;
mod wait;
mod worker;

pub use bell::{Bell, Changes};
pub use failure::JobFailure;
pub use places::{Place, Places};
pub use running::Running;
pub use sweep::sweep;
pub use threads::JobThreads;
pub use wait::{wait_for_changes, wait_for_job};
pub use worker::{place_for_new_job, run_workers, take_up};
