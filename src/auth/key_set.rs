//! The public keys of a token issuer: fetched when needed, kept, and fetched again when they are old or a token names a new one.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use sensorium_domain::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::config;
use crate::error::{ApiError, Code};

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// At this address (RFC 7517).
    Keys(String),
    /// Where the issuer's own description says (OpenID Connect Discovery 1.0).
    Issuer(String),
}

/// A key and the one algorithm that it may be used with.
#[derive(Clone)]
pub struct IssuerKey {
    id: Option<String>,
    /// That algorithm.
    pub algorithm: Algorithm,
    /// The key.
    pub key: DecodingKey,
}

/// What was fetched, and when.
#[derive(Default)]
struct Fetched {
    keys: Vec<Arc<IssuerKey>>,
    /// When `keys` came; `None` when none ever did.
    at: Option<Timestamp>,
    /// When the last attempt was made.
    tried_at: Option<Timestamp>,
}

/// The keys of an issuer.
pub struct KeySet {
    source: Source,
    client: reqwest::Client,
    settings: config::Auth,
    fetched: RwLock<Fetched>,
    /// Held by the one that fetches; the others wait and find what it brought.
    fetching: Mutex<()>,
}

/// Why keys could not be fetched; for the log.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("the answer of {0} is larger than auth.jwks_max_bytes")]
    TooLarge(String),
    #[error("{0}: {1}")]
    NotJson(String, serde_json::Error),
    #[error("it describes the issuer \"{0}\", not auth.issuer")]
    OtherIssuer(String),
    #[error("there is no key in it that can check a signature")]
    NoKeys,
}

impl KeySet {
    /// Of the issuer that the settings name, if they do.
    pub fn of(settings: &config::Auth) -> Result<Option<Self>, reqwest::Error> {
        let Some(source) = settings.key_source() else { return Ok(None) };
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_millis(settings.jwks_timeout_ms))
            .build()?;
        let (settings, fetched, fetching) = (settings.clone(), RwLock::default(), Mutex::default());
        Ok(Some(Self { source, client, settings, fetched, fetching }))
    }

    /// The key named `id` (or the only one for `algorithm`, where a token names none), if it is for `algorithm`. A name that is not known makes
    /// the keys be fetched again, as issuers change them; `auth.jwks_retry_ms` is the least time between two such attempts.
    /// Keys that are old but usable are answered at once and fetched anew behind the caller's back.
    pub async fn find(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Arc<IssuerKey>, ApiError> {
        if self.is_usable(now)
            && let Some(key) = self.known(id, algorithm)
        {
            if !self.is_fresh(now) && self.fetching.try_lock().is_ok() {
                let (keys, id) = (self.clone(), id.map(str::to_owned));
                tokio::spawn(async move { keys.refresh(id.as_deref(), algorithm, now).await });
            }
            return Ok(key);
        }
        self.refresh(id, algorithm, now).await;
        if !self.is_usable(now) {
            return Err(ApiError::new(Code::Unavailable, "the token issuer's keys cannot be fetched at the moment")
                .retry_after(self.settings.jwks_retry_ms));
        }
        self.known(id, algorithm).ok_or_else(|| {
            let detail = "this token is not valid: the issuer has no such key for the algorithm that it names";
            ApiError::new(Code::Unauthorized, detail)
        })
    }

    fn known(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Arc<IssuerKey>> {
        let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner);
        let mut fitting =
            fetched.keys.iter().filter(|key| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id));
        let first = fitting.next()?;
        // A token without a name may mean any key; with several there is no telling which.
        (id.is_some() || fitting.next().is_none()).then(|| first.clone())
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.is_younger(now, self.settings.jwks_fresh_ms)
    }

    /// Old keys serve while the issuer is away, for a while.
    fn is_usable(&self, now: Timestamp) -> bool {
        self.is_younger(now, self.settings.jwks_fresh_ms.saturating_add(self.settings.jwks_stale_ms))
    }

    fn is_younger(&self, now: Timestamp, limit_ms: u64) -> bool {
        let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner);
        fetched.at.is_some_and(|at| now.since_ms(at).unsigned_abs() < limit_ms)
    }

    /// Fetches, unless somebody has just tried.
    async fn refresh(&self, id: Option<&str>, algorithm: Algorithm, now: Timestamp) {
        let _turn = self.fetching.lock().await;
        let tried_at = self.fetched.read().unwrap_or_else(PoisonError::into_inner).tried_at;
        let lately = tried_at.is_some_and(|at| now.since_ms(at).unsigned_abs() < self.settings.jwks_retry_ms);
        if lately || (self.is_fresh(now) && self.known(id, algorithm).is_some()) {
            return;
        }
        let outcome = self.fetch().await;
        let mut fetched = self.fetched.write().unwrap_or_else(PoisonError::into_inner);
        fetched.tried_at = Some(now);
        match outcome {
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "the token issuer's keys were fetched");
                fetched.keys = keys;
                fetched.at = Some(now);
            }
            Err(error) => tracing::warn!(%error, source = ?self.source, "the token issuer's keys were not fetched"),
        }
    }

    async fn fetch(&self) -> Result<Vec<Arc<IssuerKey>>, FetchError> {
        let address = match &self.source {
            Source::Keys(address) => address.clone(),
            Source::Issuer(issuer) => self.discover(issuer).await?,
        };
        let set: KeySetDocument = self.get(&address).await?;
        let keys: Vec<_> = set.keys.into_iter().filter_map(usable).map(Arc::new).collect();
        if keys.is_empty() { Err(FetchError::NoKeys) } else { Ok(keys) }
    }

    async fn discover(&self, issuer: &str) -> Result<String, FetchError> {
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let description: IssuerDocument = self.get(&address).await?;
        if description.issuer == issuer {
            Ok(description.jwks_uri)
        } else {
            Err(FetchError::OtherIssuer(description.issuer))
        }
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, address: &str) -> Result<T, FetchError> {
        let mut chunks = self.client.get(address).send().await?.error_for_status()?.bytes_stream();
        let mut body = Vec::new();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk?);
            if body.len() > self.settings.jwks_max_bytes {
                return Err(FetchError::TooLarge(address.to_owned()));
            }
        }
        serde_json::from_slice(&body).map_err(|error| FetchError::NotJson(address.to_owned(), error))
    }
}

#[derive(Deserialize)]
struct KeySetDocument {
    /// Read one by one, so that a key of a kind that is not known spoils no other.
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct IssuerDocument {
    issuer: String,
    jwks_uri: String,
}

/// A key for signatures by an asymmetric algorithm: the one that it names, or else the usual one of its kind.
fn usable(key: Value) -> Option<IssuerKey> {
    let key: Jwk = serde_json::from_value(key).ok()?;
    if key.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = match (key.common.key_algorithm, &key.algorithm) {
        (Some(named), AlgorithmParameters::RSA(_)) => match named {
            KeyAlgorithm::RS256 => Algorithm::RS256,
            KeyAlgorithm::RS384 => Algorithm::RS384,
            KeyAlgorithm::RS512 => Algorithm::RS512,
            KeyAlgorithm::PS256 => Algorithm::PS256,
            KeyAlgorithm::PS384 => Algorithm::PS384,
            KeyAlgorithm::PS512 => Algorithm::PS512,
            _ => return None,
        },
        (None, AlgorithmParameters::RSA(_)) => Algorithm::RS256,
        (named, AlgorithmParameters::EllipticCurve(curve)) => match (named, &curve.curve) {
            (None | Some(KeyAlgorithm::ES256), EllipticCurve::P256) => Algorithm::ES256,
            (None | Some(KeyAlgorithm::ES384), EllipticCurve::P384) => Algorithm::ES384,
            _ => return None,
        },
        (None | Some(KeyAlgorithm::EdDSA), AlgorithmParameters::OctetKeyPair(pair))
            if pair.curve == EllipticCurve::Ed25519 =>
        {
            Algorithm::EdDSA
        }
        // A symmetric key in a public place is no secret.
        _ => return None,
    };
    let decoding = DecodingKey::from_jwk(&key).ok()?;
    Some(IssuerKey { id: key.common.key_id, algorithm, key: decoding })
}
