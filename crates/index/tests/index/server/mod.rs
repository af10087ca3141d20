//! A Qdrant server.

mod cluster;
mod contract;
mod fresh;
mod likeness;
mod outages;
mod process;
mod settings;
mod shapes;
mod tenants;
