//! Settings: embedded defaults < file < `SENSORIUM__SECTION__KEY` < flags. All faults are reported at once.

mod faults;
mod load;
mod sections;

pub use load::{ConfigError, Overrides, cache_dir, load};
pub use sections::{
    Auth, Blobs, Captioner, Catalog, Config, Encoder, Index, Ingest, Jobs, LanesChoice, Limits, Log, OwnBounds,
    Profile, Reindex, Role, Search, Server, Storage, Tenants, Traces, Transcriber,
};

/// The commented defaults, which are also `config/sensorium.toml`.
pub const DEFAULTS: &str = include_str!("../../config/sensorium.toml");
