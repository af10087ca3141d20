//! A million segments on a Postgres and a Qdrant server: what a search costs beside Qdrant asked straight, and how a small tenant fares among
//! the others.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use qdrant_client::qdrant::point_id::PointIdOptions;
use sensorium::config;
use sensorium::startup::{self, App};
use sensorium_domain::TenantId;
use serde_json::{Value, json};

use crate::content;
use crate::figures::{Values, print_table, short};
use crate::folder::{self, PER_DOCUMENT};
use crate::postgres_process::Server as Postgres;
use crate::qdrant_process::Server as Qdrant;
use crate::search::{Search, search};
use crate::server::{Server, expect_success};
use crate::straight::Straight;
use crate::{Plan, machine};

/// The aim for the whole of a search beside its embedding and a straight answer.
const AIM: f64 = 1.15;
const LARGE: Tenant = Tenant { name: "large", seed: 7 };
const SMALL: Tenant = Tenant { name: "small", seed: 8 };
/// Documents of the small tenant.
const FEW: usize = 100;

/// A tenant with texts and vectors of its own, the same wherever they are.
struct Tenant {
    name: &'static str,
    seed: u64,
}

/// An index with its catalog.
struct Place {
    name: &'static str,
    postgres: Postgres,
    straight: Straight,
    index_url: String,
}

impl Place {
    fn new(name: &'static str, qdrant: &Qdrant) -> Self {
        let index_url = qdrant.url();
        Self { name, postgres: Postgres::start(), straight: Straight::new(&index_url, name), index_url }
    }

    fn settings(&self, tenant: &Tenant) -> Vec<(&'static str, String)> {
        vec![
            ("catalog.url", self.postgres.url.clone()),
            ("index.url", self.index_url.clone()),
            ("index.name", self.name.to_owned()),
            ("index.write_timeout_ms", "600000".to_owned()),
            ("auth.first_tenant", tenant.name.to_owned()),
        ]
    }

    async fn app(&self, folder: &Path) -> App {
        let mut overrides = vec![("storage.data_dir", folder.display().to_string())];
        overrides.extend(self.settings(&LARGE));
        startup::start(config::load(None, std::iter::empty(), overrides).expect("settings"))
            .await
            .expect("an application")
    }

    /// Adds documents of a tenant and says what that took.
    async fn add(&self, tenant: &Tenant, documents: usize) {
        let folder = tempfile::tempdir().unwrap();
        let app = self.app(folder.path()).await;
        let begun = Instant::now();
        let Tenant { name, seed } = tenant;
        folder::add(&app, &name.parse::<TenantId>().expect("a name"), documents, *seed).await;
        println!(
            "\n{}: {} segments of {documents} documents of the tenant \"{name}\" written in {:.0} s",
            self.name,
            documents * PER_DOCUMENT,
            begun.elapsed().as_secs_f64()
        );
    }

    /// A server for a tenant, which has a key in a folder of its own.
    async fn server(&self, folder: &Path, tenant: &Tenant) -> Server {
        Server::start_with(folder, &self.settings(tenant)).await
    }

    async fn wait_for_graphs(&self) {
        let begun = Instant::now();
        let (points, indexed) = self.straight.wait_for_graphs().await;
        println!(
            "{}: {points} points, {indexed} of them in graphs {:.0} s after the last was written",
            self.name,
            begun.elapsed().as_secs_f64()
        );
    }
}

/// Fills both places, then asks. A million segments, unless another number is wanted.
pub async fn measure(plan: &Plan, segments: Option<usize>) {
    let segments = segments.unwrap_or_else(|| plan.of(1_000_000, 20_000)).max(2 * FEW * PER_DOCUMENT);
    let count = plan.of(1_000, 100);
    let qdrant = Qdrant::start();
    let (shared, own) = (Place::new("shared", &qdrant), Place::new("own", &qdrant));
    own.add(&SMALL, FEW).await;
    shared.add(&SMALL, FEW).await;
    shared.add(&LARGE, segments / PER_DOCUMENT - FEW).await;
    shared.wait_for_graphs().await;
    own.wait_for_graphs().await;

    let folder = tempfile::tempdir().unwrap();
    let server = shared.server(folder.path(), &LARGE).await;
    let questions = Question::make(&server, count + 100).await;
    Box::pin(beside_straight(&server, &shared.straight, &questions, segments)).await;
    server.stop().await;
    small_tenant(&shared, &own, &questions, segments).await;
}

/// A text with its vector.
struct Question {
    text: String,
    vector: Vec<f32>,
}

impl Question {
    async fn make(server: &Server, count: usize) -> Vec<Self> {
        let mut questions = Vec::with_capacity(count);
        for number in 0..count {
            let text = content::query(number as u64);
            let body = json!({"inputs": [{"text": text}], "space": "shared", "input_type": "query"});
            let answer =
                expect_success(server.post("/v1/embeddings").json(&body).send().await.expect("an answer")).await;
            let answer: Value = answer.json().await.expect("JSON");
            let vector = serde_json::from_value(answer["data"][0]["embedding"].clone()).expect("a vector");
            questions.push(Self { text, vector });
        }
        questions
    }
}

/// One client asks the server and Qdrant in turn.
async fn beside_straight(server: &Server, straight: &Straight, questions: &[Question], segments: usize) {
    let ways = [
        ("ten texts, one leg", json!({"spaces": ["shared"], "targets": ["text"], "group_by": "none", "depth": 10})),
        ("legs of three modalities, 300 deep", json!({"spaces": ["shared"]})),
        ("as it comes: three legs and words", json!({})),
    ];
    let mut rows = Vec::new();
    for (number, (name, options)) in ways.iter().enumerate() {
        let mut asked = Vec::new();
        for (turn, question) in questions.iter().enumerate() {
            // A word more makes it another question, whose embedding no cache knows.
            let text = format!("{} {}", question.text, ["a", "b", "c"][number]);
            let ours = async { search(server, &text, options).await };
            let theirs = async {
                if number == 0 {
                    straight.ten_texts(LARGE.name, &question.vector).await
                } else {
                    straight.legs(LARGE.name, &question.vector).await
                }
            };
            let pair = if turn % 2 == 0 {
                let ours = ours.await;
                (ours, theirs.await)
            } else {
                let theirs = theirs.await;
                (ours.await, theirs)
            };
            asked.push(pair);
        }
        asked.drain(..100.min(asked.len() / 2)); // what comes first is slower on both sides
        rows.push(row(name, &asked));
    }
    let title = format!("{segments} segments on Postgres and Qdrant, one client ({})", machine::load());
    let head = [
        "search",
        "n",
        "p50 ms",
        "p99 ms",
        "encode p50",
        "p99",
        "index p50",
        "p99",
        "straight p50",
        "p99",
        "encode + straight p50",
        "p99",
        "p50 / (encode + straight)",
        "p99 / (encode + straight)",
        "aim",
    ];
    print_table(&title, &head, rows);
}

fn row(name: &str, asked: &[(Search, f64)]) -> Vec<String> {
    let of = |value: &dyn Fn(&(Search, f64)) -> f64| Values::of(asked.iter().map(value));
    let whole = of(&|(search, _)| search.ms);
    let encode = of(&|(search, _)| search.stages[0]);
    let index = of(&|(search, _)| search.stages[1]);
    let straight = of(&|(_, straight)| *straight);
    let both = of(&|(search, straight)| search.stages[0] + straight);
    let mut cells = vec![name.to_owned(), whole.n().to_string()];
    let pairs = [&whole, &encode, &index, &straight, &both].into_iter().flat_map(|values| [values.p50(), values.p99()]);
    cells.extend(pairs.chain([whole.p50() / both.p50(), whole.p99() / both.p99(), AIM]).map(short));
    cells
}

/// The tenant with few documents, among all the others and alone: times, and how many of the ten nearest are found.
async fn small_tenant(shared: &Place, own: &Place, questions: &[Question], segments: usize) {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let servers = [shared.server(folders[0].path(), &SMALL).await, own.server(folders[1].path(), &SMALL).await];
    let places = [shared, own];
    let options = json!({"spaces": ["shared"], "targets": ["text"], "group_by": "none", "depth": 10});
    let mut asked: [Vec<Search>; 2] = Default::default();
    let mut found = [0, 0];
    let mut alike = 0;
    for (turn, question) in questions.iter().enumerate() {
        let mut answers = [Vec::new(), Vec::new()];
        for number in if turn % 2 == 0 { [0, 1] } else { [1, 0] } {
            let search = search(&servers[number], &question.text, &options).await;
            answers[number].clone_from(&search.hits);
            let nearest: HashSet<String> = places[number]
                .straight
                .nearest_texts(SMALL.name, &question.vector)
                .await
                .into_iter()
                .filter_map(id_of)
                .collect();
            found[number] += search.segments.iter().filter(|segment| nearest.contains(*segment)).count();
            asked[number].push(search);
        }
        alike += usize::from(answers[0] == answers[1]);
    }
    let rows = asked.iter().zip(found).zip([format!("{segments} segments of two tenants"), "its own".to_owned()]).map(
        |((asked, found), name)| {
            let of = |value: &dyn Fn(&Search) -> f64| Values::of(asked.iter().skip(asked.len() / 10).map(value));
            let (whole, index) = (of(&|search| search.ms), of(&|search| search.stages[1]));
            let recall = found as f64 / (10 * asked.len()) as f64;
            let numbers = [whole.p50(), whole.p99(), index.p50(), index.p99(), recall];
            [name, whole.n().to_string()].into_iter().chain(numbers.map(short)).collect()
        },
    );
    let title = format!("A tenant of {FEW} documents, {} segments", FEW * PER_DOCUMENT);
    let head = ["its index", "n", "p50 ms", "p99 ms", "index p50", "index p99", "of the ten nearest"];
    print_table(&title, &head, rows.collect());
    println!("\nthe same ten in the same order in both: {alike} of {}", questions.len());
    for server in servers {
        server.stop().await;
    }
}

fn id_of(point: qdrant_client::qdrant::ScoredPoint) -> Option<String> {
    match point.id?.point_id_options? {
        // As segments are named in answers.
        PointIdOptions::Uuid(id) => Some(format!("seg_{}", id.replace('-', ""))),
        PointIdOptions::Num(_) => None,
    }
}
