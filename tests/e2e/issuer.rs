//! Tokens of an issuer with public keys: taken by the one algorithm of each key, also after the keys change and while the issuer is away.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::rand_core::OsRng;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::server::{Server, eventually, now_s};

const AUDIENCE: &str = "sensorium";

/// A key pair of the issuer.
struct Key {
    id: &'static str,
    algorithm: Algorithm,
    private: EncodingKey,
    /// As the issuer shows it.
    public: Value,
}

impl Key {
    fn new(id: &'static str, algorithm: Algorithm) -> Self {
        let described =
            |private: &EncodingKey| serde_json::to_value(Jwk::from_encoding_key(private, algorithm).unwrap()).unwrap();
        let (private, mut public) = match algorithm {
            Algorithm::ES256 => {
                let key = p256::SecretKey::random(&mut OsRng).to_pkcs8_der().unwrap();
                let private = EncodingKey::from_ec_der(key.as_bytes());
                let public = described(&private);
                (private, public)
            }
            Algorithm::EdDSA => {
                let key = ed25519_dalek::SigningKey::generate(&mut OsRng);
                let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
                let private = EncodingKey::from_ed_der(key.to_pkcs8_der().unwrap().as_bytes());
                (private, json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": x}))
            }
            _ => {
                let key = rsa::RsaPrivateKey::new(&mut OsRng, 2048).unwrap().to_pkcs1_der().unwrap();
                let private = EncodingKey::from_rsa_der(key.as_bytes());
                let public = described(&private);
                (private, public)
            }
        };
        public["kid"] = id.into();
        public["use"] = "sig".into();
        Self { id, algorithm, private, public }
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_as(Some(self.id), self.algorithm, claims)
    }

    fn sign_as(&self, id: Option<&str>, algorithm: Algorithm, claims: &Value) -> String {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(algorithm) };
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }
}

#[derive(Default)]
struct Shown {
    keys: Vec<Value>,
    away: bool,
    asked: usize,
}

type Shared = Arc<(String, Mutex<Shown>)>;

/// An issuer on a free port.
struct Issuer {
    shared: Shared,
    serving: JoinHandle<()>,
}

impl Issuer {
    async fn start(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared: Shared = Arc::new((url, Mutex::default()));
        let routes = Router::new()
            .route("/keys", get(keys_of))
            .route("/.well-known/openid-configuration", get(describe))
            .with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let issuer = Self { shared, serving };
        issuer.show(keys);
        issuer
    }

    fn url(&self) -> &str {
        &self.shared.0
    }

    fn show(&self, keys: &[&Key]) {
        self.shared.1.lock().unwrap().keys = keys.iter().map(|key| key.public.clone()).collect();
    }

    fn set_away(&self, away: bool) {
        self.shared.1.lock().unwrap().away = away;
    }

    fn asked(&self) -> usize {
        self.shared.1.lock().unwrap().asked
    }

    fn claims(&self, change: &Value) -> Value {
        let mut claims = json!({"iss": self.url(), "aud": AUDIENCE, "exp": now_s() + 600, "sub": "ada", "tenant": "acme", "scope": ["read"]});
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claims
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn keys_of(State(shared): State<Shared>) -> Result<Json<Value>, StatusCode> {
    let mut shown = shared.1.lock().unwrap();
    shown.asked += 1;
    if shown.away { Err(StatusCode::BAD_GATEWAY) } else { Ok(Json(json!({"keys": shown.keys}))) }
}

async fn describe(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({"issuer": shared.0, "jwks_uri": format!("{}/keys", shared.0)}))
}

async fn status(server: &Server, token: &str) -> u16 {
    server.with_credentials(token).get("/v1/models").await.status
}

#[tokio::test]
async fn tokens_of_an_issuer() {
    let (rsa, ec, ed) =
        (Key::new("rsa", Algorithm::RS256), Key::new("ec", Algorithm::ES256), Key::new("ed", Algorithm::EdDSA));
    let issuer = Issuer::start(&[&rsa, &ec, &ed]).await;
    let url = format!("{}/keys", issuer.url());
    let settings = [
        ("auth.jwks_url", url.as_str()),
        ("auth.issuer", issuer.url()),
        ("auth.audience", AUDIENCE),
        ("auth.jwks_retry_ms", "1"),
    ];
    let server = Server::start_with(&settings).await;
    let good = issuer.claims(&json!({}));
    for key in [&rsa, &ec, &ed] {
        assert_eq!(status(&server, &key.sign(&good)).await, 200, "{}", key.id);
        assert_eq!(status(&server, &key.sign_as(None, key.algorithm, &good)).await, 200, "{} unnamed", key.id);
    }
    assert_eq!(issuer.asked(), 1, "the keys are kept");
    server.with_credentials(&rsa.sign(&good)).post("/v1/documents", &json!({})).await.problem(403, "forbidden");

    let public_as_secret = rsa.public.to_string();
    let header = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::HS256) };
    let confused =
        jsonwebtoken::encode(&header, &good, &EncodingKey::from_secret(public_as_secret.as_bytes())).unwrap();
    let stranger = Key::new("rsa", Algorithm::RS256);
    let bad = [
        ("another issuer", rsa.sign(&issuer.claims(&json!({"iss": "https://evil.example"})))),
        ("for another service", rsa.sign(&issuer.claims(&json!({"aud": "billing"})))),
        ("expired", rsa.sign(&issuer.claims(&json!({"exp": now_s() - 120})))),
        ("another algorithm than the key's", rsa.sign_as(Some("rsa"), Algorithm::RS512, &good)),
        ("padding that the key is not for", rsa.sign_as(Some("rsa"), Algorithm::PS256, &good)),
        ("the name of another key", ec.sign_as(Some("rsa"), Algorithm::ES256, &good)),
        ("the name of a key and another's signature", stranger.sign(&good)),
        ("the public key as a secret", confused),
        ("a key that nobody has shown", Key::new("new", Algorithm::ES256).sign(&good)),
        ("no tenant", rsa.sign(&issuer.claims(&json!({"tenant": null})))),
    ];
    for (what, token) in bad {
        println!("{what}");
        server.with_credentials(&token).get("/v1/models").await.problem(401, "unauthorized");
    }
    server.owner().read("/v1/models").await;

    // Rotation: a new key is taken at once, a withdrawn one is no more.
    let next = Key::new("next", Algorithm::ES256);
    issuer.show(&[&next]);
    eventually("the new key is known", async || (status(&server, &next.sign(&good)).await == 200).then_some(())).await;
    assert_eq!(status(&server, &rsa.sign(&good)).await, 401);
    // While the issuer is away, its keys go on; what it has never shown stays refused.
    issuer.set_away(true);
    assert_eq!(status(&server, &Key::new("newest", Algorithm::ES256).sign(&good)).await, 401);
    assert_eq!(status(&server, &next.sign(&good)).await, 200);
}

#[tokio::test]
async fn an_issuer_is_found_by_its_description_and_waited_for() {
    let key = Key::new("ec", Algorithm::ES256);
    let issuer = Issuer::start(&[&key]).await;
    issuer.set_away(true);
    let settings = [
        ("auth.oidc_discovery", "true"),
        ("auth.issuer", issuer.url()),
        ("auth.audience", AUDIENCE),
        ("auth.scope_claim", "scp"),
        ("auth.tenant_claim", "https://sensorium.example/tenant"),
        ("auth.jwks_retry_ms", "1"),
    ];
    let server = Server::start_with(&settings).await;
    let token = key.sign(&issuer.claims(&json!({"scp": "read", "https://sensorium.example/tenant": "acme"})));
    let refused = server.with_credentials(&token).get("/v1/models").await;
    refused.problem(503, "unavailable");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    server.owner().read("/v1/models").await;
    issuer.set_away(false);
    eventually("the issuer is back", async || (status(&server, &token).await == 200).then_some(())).await;
}
