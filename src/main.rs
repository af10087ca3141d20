//! The program.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    sensorium::tls::install_provider();
    sensorium::cli::run().await
}
