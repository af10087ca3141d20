//! One suite of tests per port. An implementation's test calls the suite with a function that makes a fresh, empty
//! instance; each test of the suite then runs on an instance of its own.

pub mod catalog;
mod clock;
pub mod index;

pub use clock::TestClock;
