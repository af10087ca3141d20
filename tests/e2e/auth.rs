//! Nobody sees or does what their credentials do not allow.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use crate::cases::cases;
use crate::client::{Answer, Api, id, list};
use crate::server::{Server, now_s};

const NO_ID: &str = "00000000000070008000000000000000";

#[tokio::test]
async fn auth() {
    cases!(Arc::new(Server::start().await);
        every_operation_asks_for_its_scope,
        keys_are_made_shown_once_and_revoked,
        changes_are_in_the_audit_log,
        another_tenant_sees_nothing,
        only_good_tokens_are_taken,
        the_command_line_makes_tokens,
        the_first_key_does_everything,
        the_open_doors_are_open,
    );
}

/// An operation of the OpenAPI document.
struct Operation {
    method: Method,
    path: String,
    open: bool,
}

async fn operations(server: &Server) -> Vec<Operation> {
    let document = server.stranger().read("/openapi.json").await;
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let security = operation.get("security").unwrap_or(&document["security"]);
            let open = security.as_array().is_none_or(|list| list.is_empty() || list.contains(&json!({})));
            found.push(Operation { method: method.to_uppercase().parse().unwrap(), path: path.clone(), open });
        }
    }
    assert!(found.len() >= 25, "{} operations", found.len());
    found
}

impl Operation {
    /// The scope that it should ask for.
    fn scope(&self) -> &'static str {
        let asks = ["/v1/search", "/v1/embeddings", "/v1/classify"].contains(&self.path.as_str());
        match self.path.as_str() {
            "/v1/captions" | "/v1/audio/transcriptions" | "/v1/audio/translations" => "caption",
            "/v1/audit" => "admin",
            _ if self.concerns_all_tenants() => "admin",
            path if path.starts_with("/v1/keys") => "admin",
            _ if asks || self.method == Method::GET => "read",
            _ => "write",
        }
    }

    /// It tells of all tenants, or changes what is theirs: it is for administrators of the first one.
    fn concerns_all_tenants(&self) -> bool {
        ["/metrics", "/v1/generations", "/v1/reindex"].contains(&self.path.as_str())
    }

    /// The path with ids; those that are not given name nothing.
    fn path_with(&self, document: &str, part: &str, job: &str, collection: &str) -> String {
        let id = if self.path.starts_with("/v1/documents") {
            document
        } else if self.path.starts_with("/v1/parts") {
            part
        } else {
            job
        };
        self.path.replace("{id}", id).replace("{name}", collection)
    }

    async fn send(&self, api: &Api, path: &str) -> Answer {
        let request = api.request(self.method.clone(), path);
        let body = if self.method == Method::GET || self.method == Method::DELETE {
            request
        } else {
            request.json(&json!({}))
        };
        api.send(body).await
    }
}

async fn every_operation_asks_for_its_scope(server: Arc<Server>) {
    let scopes = ["read", "write", "caption"];
    for operation in operations(&server).await {
        let path =
            operation.path_with(&format!("doc_{NO_ID}"), &format!("prt_{NO_ID}"), &format!("job_{NO_ID}"), "nothing");
        let what = format!("{} {path}", operation.method);
        // What tells of all tenants is for the first one.
        let tenant = if operation.concerns_all_tenants() { "default" } else { "scopes" };
        let stranger = operation.send(&server.stranger(), &path).await;
        if operation.open {
            assert_eq!(stranger.status, 200, "{what}");
            continue;
        }
        stranger.problem(401, "unauthorized");
        assert_eq!(stranger.header("www-authenticate"), "Bearer", "{what}");
        operation.send(&server.with_scopes(tenant, ""), &path).await.problem(403, "forbidden");
        let wrong: Vec<_> = scopes.into_iter().filter(|scope| *scope != operation.scope()).collect();
        let refused = operation.send(&server.with_scopes(tenant, &wrong.join(" ")), &path).await;
        let problem = refused.problem(403, "forbidden");
        assert!(problem["detail"].as_str().unwrap().contains(operation.scope()), "{what}: {problem}");
        for scope in [operation.scope(), "admin"] {
            let allowed = operation.send(&server.with_scopes(tenant, scope), &path).await;
            assert!(
                ![401, 403].contains(&allowed.status) && allowed.status < 500,
                "{what} with {scope}: {}",
                allowed.text()
            );
        }
    }
}

async fn another_tenant_sees_nothing(server: Arc<Server>) {
    let (mine, theirs) = (server.tenant("mine"), server.with_scopes("theirs", "read write caption admin"));
    let added = mine
        .add(&json!({"collection": "secrets", "external_id": "x", "parts": [{"text": "the aardvark password"}]}))
        .await;
    let document = id(&added["document"]);
    let (part, job) = (id(&added["document"]["parts"][0]), id(&added["job"]));
    for operation in operations(&server).await.iter().filter(|operation| operation.path.contains('{')) {
        let path = operation.path_with(&document, &part, &job, "secrets");
        operation.send(&theirs, &path).await.problem(404, "not_found");
    }
    for (path, items) in [
        ("/v1/documents", "documents"),
        ("/v1/documents?external_id=x", "documents"),
        ("/v1/jobs", "jobs"),
        ("/v1/collections", "collections"),
    ] {
        assert_eq!(theirs.all(path, items, 10).await, Vec::<Value>::new(), "{path}");
    }
    assert_eq!(theirs.all(&format!("/v1/jobs?document={document}"), "jobs", 10).await, Vec::<Value>::new());
    let search = json!({"inputs": [{"text": "the aardvark password"}], "collection": "secrets"});
    assert_eq!(list(&theirs.search(&search).await, "/hits").len(), 0);
    assert_eq!(list(&mine.search(&search).await, "/hits").len(), 1);
    let segment = id(&mine.read(&format!("/v1/documents/{document}/segments")).await["segments"][0]);
    for input in [json!({"document": document}), json!({"segment": segment})] {
        theirs.post("/v1/search", &json!({"inputs": [input]})).await.problem(422, "invalid");
    }
    // The same external id and collection are another document there, and the same bytes another blob.
    let same = theirs
        .add(&json!({"collection": "secrets", "external_id": "x", "parts": [{"text": "the aardvark password"}]}))
        .await;
    assert_ne!(id(&same["document"]), document);
    assert_eq!(same["job"]["progress"]["reused"], 0, "{same}");
    theirs.delete("/v1/collections/secrets").await.expect(202);
    let content = mine.get(&format!("/v1/parts/{part}/content")).await;
    assert_eq!(content.text(), "the aardvark password");
    assert_eq!(list(&mine.search(&search).await, "/hits").len(), 1);
}

async fn keys_are_made_shown_once_and_revoked(server: Arc<Server>) {
    let admin = server.with_scopes("keys", "admin");
    let wanted = json!({"name": "reader", "scopes": ["read"], "expires_at": "2100-01-01T00:00:00Z"});
    let made = admin.post("/v1/keys", &wanted).await;
    let location = made.header("location").to_owned();
    let made = made.expect(201);
    let secret = made["secret"].as_str().unwrap();
    assert_eq!((&made["name"], &made["scopes"]), (&wanted["name"], &wanted["scopes"]));
    let reader = server.with_credentials(secret);
    assert_eq!(reader.get("/v1/documents").await.status, 200);
    reader.post("/v1/documents", &json!({})).await.problem(403, "forbidden");
    reader.get("/v1/keys").await.problem(403, "forbidden");
    let listed = admin.all("/v1/keys", "keys", 1).await;
    assert_eq!(listed.len(), 1);
    assert!(listed[0]["last_used_at"].is_string() && listed[0]["revoked_at"].is_null(), "{listed:?}");
    assert!(!listed[0].to_string().contains(secret), "the secret is not kept");

    let stranger = server.with_scopes("keys-2", "admin");
    assert!(stranger.all("/v1/keys", "keys", 10).await.is_empty());
    stranger.delete(&location).await.problem(404, "not_found");
    assert_eq!(reader.get("/v1/documents").await.status, 200);
    let revoked = admin.delete(&location).await.expect(200);
    assert!(revoked["revoked_at"].is_string());
    reader.get("/v1/documents").await.problem(401, "unauthorized");
    assert_eq!(admin.delete(&location).await.expect(200), revoked, "asked again, nothing changes");

    for (pointer, wrong) in [
        ("/name", json!({"name": " ", "scopes": ["read"]})),
        ("/scopes", json!({"name": "a", "scopes": []})),
        ("/scopes/0", json!({"name": "a", "scopes": ["everything"]})),
        ("/expires_at", json!({"name": "a", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"})),
    ] {
        let problem = admin.post("/v1/keys", &wrong).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

async fn changes_are_in_the_audit_log(server: Arc<Server>) {
    let admin = server.with_scopes("audit", "admin");
    let added = admin.add(&json!({"parts": [{"text": "audited"}]})).await;
    let document = format!("/v1/documents/{}", id(&added["document"]));
    admin.search(&json!({"inputs": [{"text": "audited"}]})).await;
    admin.get(&document).await.expect(200);
    admin.post("/v1/documents", &json!({"parts": []})).await.problem(422, "invalid");
    let patch = admin
        .request(Method::PATCH, &document)
        .json(&json!({"title": "New"}))
        .header("x-request-id", "audit-request-1");
    admin.send(patch).await.expect(202);
    admin.delete(&document).await.expect(202);
    let entries = admin.all("/v1/audit", "entries", 2).await;
    let told: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        ["DELETE /v1/documents/{id}", "PATCH /v1/documents/{id}", "POST /v1/documents"],
        "changes only, newest first"
    );
    assert_eq!((&entries[1]["subject"], &entries[1]["request_id"]), (&json!(document), &json!("audit-request-1")));
    assert!(entries[2]["subject"].as_str().unwrap().starts_with("/v1/jobs/job_"), "{entries:?}");
    assert!(entries.iter().all(|entry| entry["actor"].as_str().is_some_and(|actor| !actor.is_empty())));
    assert!(server.with_scopes("audit-2", "admin").all("/v1/audit", "entries", 10).await.is_empty());
}

async fn only_good_tokens_are_taken(server: Arc<Server>) {
    let good = json!({"tenant": "tokens", "scope": "read", "exp": now_s() + 600});
    let with = |change: Value| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    };
    let secret = std::fs::read_to_string(server.data_dir().join("hs256-secret")).unwrap();
    let signed = |algorithm: Algorithm, secret: &str| {
        jsonwebtoken::encode(&Header::new(algorithm), &good, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    };
    let plain = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", plain(json!({"alg": "none", "typ": "JWT"})), plain(good.clone()));
    let mut parts: Vec<String> = server.token(&good).split('.').map(str::to_owned).collect();
    parts[1] = plain(with(json!({"tenant": "other"})));
    let bad = [
        ("expired", server.token(&with(json!({"exp": now_s() - 120})))),
        ("no end", server.token(&with(json!({"exp": null})))),
        ("not yet", server.token(&with(json!({"nbf": now_s() + 600})))),
        ("no tenant", server.token(&with(json!({"tenant": null})))),
        ("an empty tenant", server.token(&with(json!({"tenant": ""})))),
        ("a tenant that is a path", server.token(&with(json!({"tenant": "../mine"})))),
        ("a tenant that is a list", server.token(&with(json!({"tenant": ["tokens"]})))),
        ("another secret", signed(Algorithm::HS256, "another secret that is long enough for this")),
        ("another algorithm", signed(Algorithm::HS512, secret.trim())),
        ("no algorithm", unsigned),
        ("changed claims", parts.join(".")),
        ("nonsense", "nonsense".to_owned()),
        ("an unknown key", format!("sk_{}", "0".repeat(64))),
    ];
    for (what, token) in bad {
        println!("{what}");
        let answer = server.with_credentials(&token).get("/v1/models").await;
        let problem = answer.problem(401, "unauthorized");
        assert!(!problem.to_string().contains(secret.trim()), "{what}");
    }
    assert_eq!(server.with_credentials(&server.token(&good)).get("/v1/models").await.status, 200);
    let token = server.token(&good);
    let stranger = server.stranger();
    for header in [format!("Basic {token}"), "Bearer".to_owned(), "Bearer ".to_owned(), token.clone()] {
        stranger
            .send(stranger.request(Method::GET, "/v1/models").header("authorization", header))
            .await
            .problem(401, "unauthorized");
    }
    let lower = stranger.request(Method::GET, "/v1/models").header("authorization", format!("bearer {token}"));
    assert_eq!(stranger.send(lower).await.status, 200);
    stranger.get(&format!("/v1/collections?access_token={token}")).await.problem(401, "unauthorized");
}

async fn the_command_line_makes_tokens(server: Arc<Server>) {
    let made = server.command(&["token", "--tenant", "cli-made", "--scope", "read,write", "--ttl", "5m"]).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let token = String::from_utf8(made.stdout).unwrap();
    let api = server.with_credentials(token.trim());
    api.add_text("default", "by token").await;
    assert_eq!(server.tenant("cli-made").all("/v1/documents", "documents", 10).await.len(), 1);
    api.post("/v1/captions", &json!({})).await.problem(403, "forbidden");
    for wrong in [["--scope", "everything"], ["--scope", ""], ["--ttl", "soon"]] {
        let refused = server.command(&[&["token", "--tenant", "t"], &wrong[..]].concat()).await;
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}");
    }
    let nowhere =
        crate::server::run(&["token", "--tenant", "t", "--scope", "read", "--data-dir", "/nonexistent/folder"]).await;
    assert_eq!(nowhere.status.code(), Some(1));
}

async fn the_first_key_does_everything(server: Arc<Server>) {
    let owner = server.owner();
    owner.add_text("default", "by key").await;
    owner.post("/v1/captions", &json!({})).await.problem(422, "invalid");
    assert_eq!(server.tenant("default").all("/v1/documents", "documents", 10).await.len(), 1);
    #[cfg(unix)]
    for file in ["key", "hs256-secret"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(server.data_dir().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} is for its owner only");
    }
    let key = std::fs::read_to_string(server.data_dir().join("key")).unwrap();
    assert!(!server.log().contains(key.trim()), "the key is not logged");
}

#[tokio::test]
async fn without_a_first_key_a_token_is_the_way_in() {
    let server = Server::start_with(&[("auth.first_key", "false")]).await;
    assert!(!server.data_dir().join("key").exists());
    assert!(server.with_scopes("default", "admin").all("/v1/keys", "keys", 10).await.is_empty());
}

async fn the_open_doors_are_open(server: Arc<Server>) {
    let stranger = server.stranger();
    for path in ["/livez", "/readyz", "/openapi.json", "/docs/index.html", "/"] {
        assert_eq!(stranger.get(path).await.status, 200, "{path}");
    }
}
