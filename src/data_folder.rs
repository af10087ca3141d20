//! What lies in a data folder, by name, and how its files are made: for their owner only.

use std::fs::{File, OpenOptions};

/// The catalog.
pub const CATALOG: &str = "catalog.sqlite";
/// The folder of the parts' bytes.
pub const BLOBS: &str = "blobs";
/// The first key.
pub const KEY: &str = "key";
/// The secret that signs tokens.
pub const HS256_SECRET: &str = "hs256-secret";

/// Options to write a file that, once made, only its owner can read.
pub fn private_file() -> OpenOptions {
    let mut options = File::options();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
