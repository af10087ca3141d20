//! The program.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    sensorium::cli::run().await
}
