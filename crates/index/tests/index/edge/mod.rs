//! Qdrant Edge.

mod callers;
mod contract;
mod crash;
mod folder;
mod words;
