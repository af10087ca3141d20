//! The one provider of cryptography for every TLS client of the process.

/// Chooses ring. Called before any client is made; a second call changes nothing.
pub fn install_provider() {
    // Fails only where one has been chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
