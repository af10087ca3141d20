//! A small client of the API.

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// A file for a form: the field, the file's name, its bytes.
pub type FormFile<'a> = (&'a str, &'a str, Vec<u8>);

/// A server's address with somebody's credentials.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    url: String,
    credentials: Option<String>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A header, or the empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body's JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The body's text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The JSON of an answer that must have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// The problem that this answer must be: every member that RFC 9457 and the API promise, with this status and code.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let problem = self.json();
        for member in ["type", "title", "detail", "instance", "code", "request_id"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "no {member} in {problem}");
        }
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{problem}");
        assert!(problem["type"].as_str().unwrap().starts_with("/problems/"), "{problem}");
        problem
    }
}

impl Api {
    pub fn new(http: reqwest::Client, url: &str, credentials: Option<String>) -> Self {
        Self { http, url: url.to_owned(), credentials }
    }

    /// A request to a path below the server's address.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.credentials {
            Some(credentials) => request.bearer_auth(credentials),
            None => request,
        }
    }

    /// Sends; a connection that breaks off is an error.
    pub async fn try_send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await? })
    }

    /// Sends.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// GET that must answer 200.
    pub async fn read(&self, path: &str) -> Value {
        self.get(path).await.expect(200)
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// PATCH that waits for its job.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).header("prefer", "wait=60").json(body)).await
    }

    /// DELETE that waits for its job.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path).header("prefer", "wait=60")).await
    }

    /// Adds a document and waits until its job has ended; the whole answer.
    pub async fn add(&self, document: &Value) -> Value {
        let request = self.request(Method::POST, "/v1/documents").header("prefer", "wait=60").json(document);
        let accepted = self.send(request).await.expect(202);
        assert_eq!(accepted["job"]["state"], "succeeded", "{accepted}");
        accepted
    }

    /// Adds a document of one text; its id.
    pub async fn add_text(&self, collection: &str, text: &str) -> String {
        let added = self.add(&json!({"collection": collection, "parts": [{"text": text}]})).await;
        id(&added["document"])
    }

    /// Posts a form and waits until its job has ended, if there is one.
    pub async fn post_form(&self, path: &str, json: Option<(&str, &Value)>, files: &[FormFile<'_>]) -> Answer {
        let mut form = Form::new();
        if let Some((field, value)) = json {
            form = form.text(field.to_owned(), value.to_string());
        }
        for (field, name, bytes) in files {
            form = form.part((*field).to_owned(), Part::bytes(bytes.clone()).file_name((*name).to_owned()));
        }
        self.send(self.request(Method::POST, path).header("prefer", "wait=60").multipart(form)).await
    }

    /// Adds a document of files and waits until its job has ended; the whole answer.
    pub async fn add_files(&self, document: Option<&Value>, files: &[FormFile<'_>]) -> Value {
        let answer = self.post_form("/v1/documents", document.map(|value| ("document", value)), files).await;
        let accepted = answer.expect(202);
        assert_eq!(accepted["job"]["state"], "succeeded", "{accepted}");
        accepted
    }

    /// A search that must answer 200.
    pub async fn search(&self, query: &Value) -> Value {
        self.post("/v1/search", query).await.expect(200)
    }

    /// Ids of the documents that hold a word, by BM25 alone.
    pub async fn with_word(&self, word: &str) -> Vec<String> {
        let query = json!({"inputs": [{"text": word}], "spaces": ["lexical"], "page_size": 100});
        document_ids(&self.search(&query).await)
    }

    /// Every item of a list, page by page.
    pub async fn all(&self, path: &str, items: &str, page_size: usize) -> Vec<Value> {
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let from = token.map_or_else(String::new, |token| format!("&page_token={token}"));
            let page = self.read(&format!("{path}{joint}page_size={page_size}{from}")).await;
            let list = page[items].as_array().unwrap();
            assert!(list.len() <= page_size);
            found.extend(list.iter().cloned());
            match page["next_page_token"].as_str() {
                Some(next) => token = Some(next.to_owned()),
                None => return found,
            }
        }
    }
}

/// The `id` of a thing.
#[track_caller]
pub fn id(thing: &Value) -> String {
    thing["id"].as_str().unwrap_or_else(|| panic!("no id in {thing}")).to_owned()
}

/// A list inside a value.
#[track_caller]
pub fn list<'a>(value: &'a Value, pointer: &str) -> &'a Vec<Value> {
    value.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("no list {pointer} in {value}"))
}

/// Ids of the documents of a search's hits.
pub fn document_ids(answer: &Value) -> Vec<String> {
    list(answer, "/hits").iter().map(|hit| id(&hit["document"])).collect()
}
