//! Any modality asks and any may answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use serde_json::{Value, json};

use crate::cases::cases;
use crate::client::{Api, document_ids, id, list};
use crate::media::{base64, png, sample, wav};
use crate::server::Server;

const METHODS: [&str; 3] = ["rrf", "dbsf", "weighted"];
const MODES: [&str; 3] = ["late", "early", "hybrid"];

#[tokio::test]
async fn search() {
    cases!(Arc::new(Server::start().await);
        text_finds_text_with_marked_words,
        contributions_add_up_to_the_score,
        paging_to_the_end_yields_everything_once,
        page_tokens_belong_to_their_query,
        filters_choose,
        segments_can_be_hits,
        collections_choose,
        a_negative_weight_pushes_away,
        stored_things_ask,
        confidence_can_be_demanded,
        targets_answer_alone,
        warnings_tell,
        files_ask,
        embeddings_of_every_modality,
        classification_shares_add_up,
        captions_are_labels,
        models_are_told,
    );
}

/// Adds texts under external ids, several at a time.
async fn add_texts(api: &Api, collection: &str, texts: &[(&str, &str)]) {
    let adding = texts.iter().map(|(name, text)| {
        let document = json!({"collection": collection, "external_id": name, "parts": [{"text": text}]});
        async move { api.add(&document).await }
    });
    futures::stream::iter(adding).buffer_unordered(8).collect::<Vec<_>>().await;
}

fn external_ids(answer: &Value) -> Vec<String> {
    list(answer, "/hits").iter().map(|hit| hit["document"]["external_id"].as_str().unwrap().to_owned()).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

const ANIMALS: [(&str, &str); 6] = [
    ("dog", "The dog barks at the postman and fetches the stick in the garden."),
    ("cat", "The cat purrs on the windowsill and hunts mice at night."),
    ("piano", "A grand piano has eighty-eight keys and three pedals."),
    ("bread", "Knead the dough, let it rise twice and bake the bread until it is brown."),
    ("rocket", "The rocket needs eight minutes to carry the satellite into orbit."),
    ("train", "The steam train climbs the mountain railway, driven by coal and water."),
];

async fn text_finds_text_with_marked_words(server: Arc<Server>) {
    let api = server.tenant("words");
    add_texts(&api, "default", &ANIMALS).await;
    let answer = api.post("/v1/search", &json!({"inputs": [{"text": "barking dogs"}]})).await;
    let timing = answer.header("server-timing").to_owned();
    for stage in ["encode;dur=", "index;dur=", "fuse;dur=", "catalog;dur=", "total;dur="] {
        assert!(timing.contains(stage), "{timing}");
    }
    let answer = answer.expect(200);
    assert_eq!(external_ids(&answer)[0], "dog");
    let hit = &answer["hits"][0];
    assert!(hit.get("explain").is_none());
    let segment = &hit["segment"];
    assert_eq!((&segment["modality"], &segment["kind"]), (&json!("text"), &json!("chunk")));
    assert_eq!(segment["place"]["start_char"], 0);
    assert!(segment["thumbnail_url"].is_null());
    let content = segment["content_url"].as_str().unwrap();
    assert!(content.contains("#char=0,"), "{content}");
    assert_eq!(api.get(content.split('#').next().unwrap()).await.text(), ANIMALS[0].1);
    let snippet: Vec<char> = segment["snippet"]["text"].as_str().unwrap().chars().collect();
    let marks = list(segment, "/snippet/highlights").iter();
    let marked: Vec<String> = marks
        .map(|mark| snippet[mark[0].as_u64().unwrap() as usize..mark[1].as_u64().unwrap() as usize].iter().collect())
        .collect();
    assert_eq!(marked, ["dog", "barks"]);
    // By meaning alone: no word in common.
    let meaning = api.search(&json!({"inputs": [{"text": "space travel"}], "spaces": ["shared"]})).await;
    assert_eq!(external_ids(&meaning)[0], "rocket");
    assert!(list(&meaning, "/hits/0/segment/snippet/highlights").is_empty());
}

async fn contributions_add_up_to_the_score(server: Arc<Server>) {
    let api = server.tenant("explain");
    add_texts(&api, "default", &ANIMALS).await;
    api.add_files(Some(&json!({"external_id": "picture"})), &[("a", "dog.svg", sample("drawings/dog.svg"))]).await;
    let inputs = json!([{"text": "a dog"}, {"text": "railway", "weight": 0.5}, {"image": {"base64": base64(&sample("drawings/cat.svg"))}, "weight": 2.0}, {"text": "bread", "weight": -0.7}]);
    for method in METHODS {
        for mode in MODES {
            let answer = api
                .search(&json!({"inputs": inputs, "fusion": {"method": method, "mode": mode}, "explain": true}))
                .await;
            let hits = list(&answer, "/hits");
            assert_eq!(hits.len(), 7, "{method} {mode}");
            let mut last = f64::INFINITY;
            for hit in hits {
                let score = number(&hit["score"]);
                assert!(score <= last, "{method} {mode}: in order");
                last = score;
                let legs = list(hit, "/explain/legs");
                let sum: f64 = legs.iter().map(|leg| number(&leg["contribution"])).sum();
                assert!((sum - score).abs() < 1e-9, "{method} {mode}: {sum} is not {score}");
                for leg in legs {
                    assert!(
                        leg["rank"].as_u64().unwrap() >= 1 && leg["space"].is_string() && leg["score"].is_number(),
                        "{leg}"
                    );
                    assert!(number(&leg["weight"]) * number(&leg["contribution"]) >= 0.0, "{leg}");
                    assert_eq!(leg["input"].is_null(), leg["space"] == "shared" && leg["input"].is_null());
                }
                let joined = legs.iter().filter(|leg| leg["input"].is_null()).count();
                assert_eq!(joined, usize::from(mode != "late"), "{method} {mode}: {legs:?}");
            }
        }
    }
    let answer = api.search(&json!({"inputs": [{"text": "dog"}], "explain": true, "fusion": {"k": 10}})).await;
    for leg in list(&answer, "/hits/0/explain/legs") {
        let expected = 1.0 / (10.0 + number(&leg["rank"]));
        assert!((number(&leg["contribution"]) - expected).abs() < 1e-9, "reciprocal rank: {leg}");
    }
}

/// Also while documents are added that belong on the first page: on a server of its own, where nothing else changes what words weigh.
async fn paging_to_the_end_yields_everything_once(_: Arc<Server>) {
    let server = Server::start().await;
    let api = server.tenant("pages");
    let things = ["bicycle", "violin", "river", "harbour", "winter", "engine", "garden", "letter"];
    let doings =
        ["in the morning", "and a dog", "of glass", "by night", "for two", "under snow", "with wings", "in the rain"];
    let texts: Vec<(String, String)> =
        (0..64).map(|n| (format!("n{n}"), format!("A {} {}.", things[n / 8], doings[n % 8]))).collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    add_texts(&api, "default", &texts).await;
    let mut count = texts.len();
    for method in METHODS {
        for mode in MODES {
            let query = json!({"inputs": [{"text": "a violin by night"}, {"text": "snow", "weight": 0.5}], "fusion": {"method": method, "mode": mode}, "page_size": 200});
            let whole = api.search(&query).await;
            assert_eq!((&whole["next_page_token"], &whole["truncated"]), (&Value::Null, &json!(false)));
            let whole = document_ids(&whole);
            assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), count, "{method} {mode}: every document");
            let mut paged = Vec::new();
            let mut token = Value::Null;
            loop {
                let mut query = query.clone();
                query["page_size"] = json!(7);
                query["page_token"] = token;
                let page = api.search(&query).await;
                paged.extend(document_ids(&page));
                assert!(paged.len() <= count, "{method} {mode}: something came twice");
                if query["page_token"].is_null() {
                    let name = format!("late-{method}-{mode}");
                    add_texts(&api, "default", &[(&name, "A violin by night, a violin under snow.")]).await;
                }
                token = page["next_page_token"].clone();
                if token.is_null() {
                    break;
                }
            }
            assert_eq!(paged, whole, "{method} {mode}");
            count += 1;
        }
    }
}

async fn page_tokens_belong_to_their_query(server: Arc<Server>) {
    let api = server.tenant("tokens");
    add_texts(&api, "default", &ANIMALS).await;
    let query = json!({"inputs": [{"text": "an animal"}], "page_size": 2});
    let token = api.search(&query).await["next_page_token"].clone();
    assert!(token.is_string());
    let with = |change: Value| {
        let mut query = query.clone();
        query["page_token"] = token.clone();
        query.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        query
    };
    assert_eq!(list(&api.search(&with(json!({"page_size": 3, "explain": true}))).await, "/hits").len(), 3);
    for change in [
        json!({"inputs": [{"text": "another"}]}),
        json!({"filter": {"must": [{"key": "title", "exists": false}]}}),
        json!({"fusion": {"k": 1}}),
        json!({"targets": ["text"]}),
    ] {
        api.post("/v1/search", &with(change)).await.problem(410, "cursor_expired");
    }
    server.tenant("tokens-2").post("/v1/search", &with(json!({}))).await.problem(410, "cursor_expired");
    let garbage = api.post("/v1/search", &with(json!({"page_token": "garbage"}))).await;
    assert_eq!(garbage.problem(422, "invalid")["errors"][0]["pointer"], "/page_token");
}

async fn filters_choose(server: Arc<Server>) {
    let api = server.tenant("filters");
    let documents = [
        json!({"external_id": "a", "tags": ["red", "fast"], "metadata": {"year": 2019, "price": 9.5, "open": true, "camera": {"maker": "Zeiss"}}, "title": "First"}),
        json!({"external_id": "b", "tags": ["blue"], "metadata": {"year": 2021, "price": 20, "open": false, "sizes": [1, 2]}}),
        json!({"external_id": "c", "tags": ["red"], "metadata": {"year": 2024, "sizes": [3], "none": null}}),
        json!({"external_id": "d"}),
    ];
    for mut document in documents {
        document["parts"] = json!([{"text": format!("a thing called {}", document["external_id"])}]);
        api.add(&document).await;
    }
    let table = [
        (json!({}), "abcd"),
        (json!({"must": [{"key": "tags", "match": {"value": "red"}}]}), "ac"),
        (
            json!({"must": [{"key": "tags", "match": {"value": "red"}}, {"key": "tags", "match": {"value": "fast"}}]}),
            "a",
        ),
        (json!({"must": [{"key": "tags", "match": {"any": ["blue", "fast"]}}]}), "ab"),
        (json!({"must_not": [{"key": "tags", "match": {"value": "red"}}]}), "bd"),
        (
            json!({"should": [{"key": "metadata.year", "match": {"value": 2021}}, {"key": "external_id", "match": {"value": "d"}}]}),
            "bd",
        ),
        (json!({"must": [{"key": "metadata.year", "range": {"gte": 2021}}]}), "bc"),
        (json!({"must": [{"key": "metadata.year", "range": {"gt": 2019, "lt": 2024}}]}), "b"),
        (json!({"must": [{"key": "metadata.price", "range": {"lte": 9.5}}]}), "a"),
        (json!({"must": [{"key": "metadata.open", "match": {"value": true}}]}), "a"),
        (json!({"must": [{"key": "metadata.sizes", "match": {"any": [2, 3]}}]}), "bc"),
        (json!({"must": [{"key": "metadata.camera.maker", "match": {"value": "Zeiss"}}]}), "a"),
        (json!({"must": [{"key": "metadata.camera.maker", "match": {"value": "zeiss"}}]}), ""),
        (json!({"must": [{"key": "metadata.year", "exists": true}]}), "abc"),
        (json!({"must": [{"key": "metadata.none", "exists": false}]}), "abcd"),
        (json!({"must": [{"key": "tags", "exists": false}]}), "d"),
        (json!({"must": [{"key": "title", "match": {"value": "First"}}]}), "a"),
        (json!({"must": [{"key": "modality", "match": {"value": "audio"}}]}), ""),
        (json!({"must": [{"key": "created_at", "range": {"gt": "2020-01-01T00:00:00Z"}}]}), "abcd"),
        (json!({"must": [{"key": "created_at", "range": {"lt": "2020-01-01T00:00:00Z"}}]}), ""),
        (
            json!({"must": [{"key": "metadata.year", "exists": true}], "should": [{"key": "tags", "match": {"value": "red"}}], "must_not": [{"key": "metadata.year", "range": {"gt": 2023}}]}),
            "a",
        ),
    ];
    for (filter, expected) in table {
        for mode in ["late", "early"] {
            let answer =
                api.search(&json!({"inputs": [{"text": "a thing"}], "filter": filter, "fusion": {"mode": mode}})).await;
            let mut found = external_ids(&answer);
            found.sort();
            assert_eq!(found.concat(), expected, "{mode} {filter}");
        }
    }
}

async fn segments_can_be_hits(server: Arc<Server>) {
    let api = server.tenant("segments");
    let chapters = ["Bread is baked in an oven.", "Bread is sold in a shop.", "Bread is eaten at a table."];
    let parts: Vec<_> = chapters.iter().map(|text| json!({"text": text})).collect();
    let document = id(&api.add(&json!({"parts": parts})).await["document"]);
    api.add_text("default", "A bread basket.").await;
    let single = api.search(&json!({"inputs": [{"text": "bread"}], "group_by": "none"})).await;
    let hits = list(&single, "/hits");
    assert_eq!(hits.len(), 4);
    assert!(hits.iter().all(|hit| hit.get("segments").is_none()));
    assert_eq!(hits.iter().filter(|hit| id(&hit["document"]) == document).count(), 3);
    let grouped = api.search(&json!({"inputs": [{"text": "bread"}], "segments_per_group": 2})).await;
    let hits = list(&grouped, "/hits");
    assert_eq!(hits.len(), 2);
    let group = hits.iter().find(|hit| id(&hit["document"]) == document).unwrap();
    assert_eq!(list(group, "/segments").len(), 2);
    assert_eq!(group["segment"], group["segments"][0]);
    assert!(number(&group["segments"][0]["score"]) >= number(&group["segments"][1]["score"]));
}

async fn collections_choose(server: Arc<Server>) {
    let api = server.tenant("chosen");
    for collection in ["one", "two", "three"] {
        add_texts(&api, collection, &[(collection, "the same words everywhere")]).await;
    }
    for (chosen, expected) in [
        (json!({"collection": "one"}), vec!["one"]),
        (json!({"collections": ["one", "three"]}), vec!["one", "three"]),
        (json!({}), vec!["one", "three", "two"]),
        (json!({"collection": "nothing-here"}), vec![]),
    ] {
        let mut query = json!({"inputs": [{"text": "words"}]});
        query.as_object_mut().unwrap().extend(chosen.as_object().unwrap().clone());
        let mut found = external_ids(&api.search(&query).await);
        found.sort();
        assert_eq!(found, expected);
    }
}

async fn a_negative_weight_pushes_away(server: Arc<Server>) {
    let api = server.tenant("negative");
    add_texts(&api, "default", &ANIMALS).await;
    let score = |answer: &Value, name: &str| {
        let hits = list(answer, "/hits");
        number(&hits.iter().find(|hit| hit["document"]["external_id"] == name).unwrap()["score"])
    };
    for mode in MODES {
        let query = |inputs: Value| json!({"inputs": inputs, "fusion": {"mode": mode}, "explain": true});
        let plain = api.search(&query(json!([{"text": "pets: dog and cat"}]))).await;
        let asked = json!([{"text": "pets: dog and cat"}, {"text": "a cat that purrs", "weight": -0.8}]);
        let away = api.search(&query(asked)).await;
        assert_eq!(external_ids(&away)[0], "dog", "{mode}");
        let ahead = |answer: &Value| score(answer, "dog") - score(answer, "cat");
        assert!(ahead(&away) > ahead(&plain), "{mode}: {} {}", ahead(&away), ahead(&plain));
        if mode == "late" {
            let cat = list(&away, "/hits").iter().find(|hit| hit["document"]["external_id"] == "cat").unwrap();
            let legs = list(cat, "/explain/legs");
            assert!(legs.iter().any(|leg| leg["input"] == 1 && number(&leg["contribution"]) < 0.0), "{legs:?}");
        }
    }
    let only = api.post("/v1/search", &json!({"inputs": [{"text": "a", "weight": -1}]})).await;
    assert_eq!(only.problem(422, "invalid")["errors"][0]["pointer"], "/inputs");
}

async fn stored_things_ask(server: Arc<Server>) {
    let api = server.tenant("stored");
    add_texts(&api, "default", &ANIMALS).await;
    let puppy =
        api.add(&json!({"external_id": "puppy", "parts": [{"text": "A puppy learns to bark and to fetch."}]})).await;
    let document = id(&puppy["document"]);
    let segments = api.read(&format!("/v1/documents/{document}/segments")).await;
    let segment = id(&segments["segments"][0]);
    for input in [json!({"document": document}), json!({"segment": segment})] {
        let answer = api.search(&json!({"inputs": [input]})).await;
        let found = external_ids(&answer);
        assert_eq!(found[0], "dog", "{input}");
        assert!(!found.contains(&"puppy".to_owned()), "{input}: it does not find itself");
        let with_self = api.search(&json!({"inputs": [input], "exclude_inputs": false})).await;
        assert_eq!(external_ids(&with_self)[0], "puppy", "{input}");
    }
    for (input, pointer) in [
        (json!({"document": "doc_00000000000070008000000000000000"}), "/inputs/0/document"),
        (json!({"segment": "seg_00000000000070008000000000000000"}), "/inputs/0/segment"),
    ] {
        let answer = api.post("/v1/search", &json!({"inputs": [input]})).await;
        assert_eq!(answer.problem(422, "invalid")["errors"][0]["pointer"], pointer);
    }
}

async fn confidence_can_be_demanded(server: Arc<Server>) {
    let api = server.tenant("confidence");
    add_texts(&api, "default", &ANIMALS).await;
    let query = |least: f64| json!({"inputs": [{"text": "The cat purrs on the windowsill"}], "min_confidence": least});
    let all = api.search(&query(0.0)).await;
    assert_eq!(list(&all, "/hits").len(), 6);
    let confidences: Vec<f64> = list(&all, "/hits").iter().map(|hit| number(&hit["confidence"])).collect();
    assert!(confidences.iter().all(|confidence| (0.0..=1.0).contains(confidence)), "{confidences:?}");
    assert!(confidences[0] > 0.5, "{confidences:?}");
    let good = api.search(&query(0.5)).await;
    assert!(list(&good, "/hits").len() < 6);
    assert!(list(&good, "/hits").iter().all(|hit| number(&hit["confidence"]) >= 0.5));
    assert_eq!(external_ids(&good)[0], "cat");
}

async fn targets_answer_alone(server: Arc<Server>) {
    let api = server.tenant("targets");
    let files = [
        ("a", "dog.svg", sample("drawings/dog.svg")),
        ("b", "dog.wav", sample("sounds/dog-barking.wav")),
        ("c", "dog.txt", b"a dog".to_vec()),
    ];
    api.add_files(Some(&json!({"title": "All about a dog"})), &files).await;
    for targets in [json!(["image"]), json!(["audio"]), json!(["text"]), json!(["audio", "image"])] {
        let answer = api.search(&json!({"inputs": [{"text": "a dog"}], "targets": targets, "group_by": "none"})).await;
        let found: BTreeSet<_> =
            list(&answer, "/hits").iter().map(|hit| hit["segment"]["modality"].as_str().unwrap().to_owned()).collect();
        let wanted: BTreeSet<_> = list(&targets, "").iter().map(|target| target.as_str().unwrap().to_owned()).collect();
        assert_eq!(found, wanted);
    }
    let image = api.search(&json!({"inputs": [{"text": "a dog"}], "targets": ["image"]})).await;
    let thumbnail = image["hits"][0]["segment"]["thumbnail_url"].as_str().unwrap();
    assert_eq!(api.get(thumbnail).await.status, 200);
    let sound = api.search(&json!({"inputs": [{"text": "a dog"}], "targets": ["audio"]})).await;
    assert!(sound["hits"][0]["segment"]["content_url"].as_str().unwrap().contains("#t=0,"), "{sound}");
}

async fn warnings_tell(server: Arc<Server>) {
    let api = server.tenant("warnings");
    let warnings = async |query: Value| {
        list(&api.search(&query).await, "/warnings")
            .iter()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(warnings(json!({"inputs": [{"text": "anything"}]})).await, ["no match"]);
    add_texts(&api, "default", &ANIMALS).await;
    assert_eq!(warnings(json!({"inputs": [{"text": ANIMALS[0].1}]})).await, [""; 0]);
    let nonsense = warnings(json!({"inputs": [{"text": "photosynthesis of marine algae"}]})).await;
    assert!(nonsense.iter().any(|text| text.starts_with("no good match")), "{nonsense:?}");
    let video = warnings(json!({"inputs": [{"text": "the dog barks"}], "targets": ["video", "text"]})).await;
    assert!(video.iter().any(|text| text.contains("no video")), "{video:?}");
}

async fn files_ask(server: Arc<Server>) {
    let api = server.tenant("files");
    for name in ["dog", "piano", "tree"] {
        let file = format!("{name}.svg");
        api.add_files(Some(&json!({"external_id": name})), &[("a", &file, sample(&format!("drawings/{file}")))]).await;
    }
    for name in ["rain", "guitar"] {
        let file = format!("{name}.wav");
        api.add_files(Some(&json!({"external_id": name})), &[("a", &file, sample(&format!("sounds/{file}")))]).await;
    }
    let picture = json!({"inputs": [{"image": {"file": "mine"}}], "targets": ["image"]});
    let found = api
        .post_form("/v1/search", Some(("query", &picture)), &[("mine", "x.svg", sample("drawings/piano.svg"))])
        .await;
    assert_eq!(external_ids(&found.expect(200))[0], "piano");
    let sound = json!({"inputs": [{"audio": {"file": "mine"}}], "targets": ["audio"]});
    let found =
        api.post_form("/v1/search", Some(("query", &sound)), &[("mine", "x.wav", sample("sounds/guitar.wav"))]).await;
    assert_eq!(external_ids(&found.expect(200))[0], "guitar");
    let unnamed = api
        .post_form(
            "/v1/search",
            Some(("query", &json!({"inputs": [{"text": "x"}]}))),
            &[("mine", "x.svg", sample("drawings/piano.svg"))],
        )
        .await;
    assert_eq!(unnamed.problem(422, "invalid")["errors"][0]["pointer"], "/inputs");
    let missing = api.post_form("/v1/search", Some(("query", &picture)), &[]).await;
    assert_eq!(missing.problem(422, "invalid")["errors"][0]["pointer"], "/inputs/0/image");
}

async fn embeddings_of_every_modality(server: Arc<Server>) {
    let api = server.tenant("embeddings");
    let inputs = json!([{"text": "a red bicycle"}, {"image": {"base64": base64(&png(60, 60, 8))}}, {"audio": {"base64": base64(&wav(800, 300.0))}}, {"text": "a red bike"}, {"text": "tax law"}]);
    let answer = api.post("/v1/embeddings", &json!({"inputs": inputs})).await.expect(200);
    let data = list(&answer, "/data");
    assert_eq!(answer["usage"]["inputs"], 5);
    let vectors: Vec<Vec<f64>> =
        data.iter().map(|entry| list(entry, "/embedding").iter().map(number).collect()).collect();
    for (index, (entry, vector)) in data.iter().zip(&vectors).enumerate() {
        assert_eq!((&entry["index"], &entry["space"]), (&json!(index), &json!("shared")));
        assert!(entry["model"].as_str().unwrap().contains('@'), "{}", entry["model"]);
        assert_eq!(vector.len(), 384);
        let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
        assert!((length - 1.0).abs() < 1e-3, "{length}");
    }
    let cosine = |a: usize, b: usize| vectors[a].iter().zip(&vectors[b]).map(|(x, y)| x * y).sum::<f64>();
    assert!(cosine(0, 3) > 0.8 && cosine(0, 4) < 0.3, "{} {}", cosine(0, 3), cosine(0, 4));
    let form = json!({"inputs": [{"image": {"file": "p"}}], "space": "shared"});
    let same =
        api.post_form("/v1/embeddings", Some(("request", &form)), &[("p", "p.png", png(60, 60, 8))]).await.expect(200);
    let same: Vec<f64> = list(&same, "/data/0/embedding").iter().map(number).collect();
    let dot: f64 = same.iter().zip(&vectors[1]).map(|(x, y)| x * y).sum();
    assert!(dot > 0.9999, "{dot}");
    let unknown = api.post("/v1/embeddings", &json!({"inputs": [{"text": "x"}], "space": "nope"})).await;
    assert_eq!(unknown.problem(422, "invalid")["errors"][0]["pointer"], "/space");
}

async fn classification_shares_add_up(server: Arc<Server>) {
    let api = server.tenant("classify");
    let picture = base64(&sample("drawings/dog.svg"));
    let sound = base64(&sample("sounds/rain.wav"));
    for (input, labels) in [
        (json!({"text": "it barks at the postman"}), json!(["cat", "dog", "tax return"])),
        (json!({"image": {"base64": picture}}), json!(["dog", "house"])),
        (json!({"audio": {"base64": sound}}), json!(["rain", "trumpet", "dog", "speech"])),
    ] {
        let answer = api
            .post("/v1/classify", &json!({"input": input, "labels": labels, "template": "this is a {}"}))
            .await
            .expect(200);
        let found = list(&answer, "/labels");
        assert_eq!(found.len(), list(&labels, "").len());
        let scores: Vec<f64> = found.iter().map(|label| number(&label["score"])).collect();
        assert!((scores.iter().sum::<f64>() - 1.0).abs() < 1e-4, "{answer}");
        assert!(scores.is_sorted_by(|a, b| a >= b), "{answer}");
        assert!(found.iter().all(|label| (-1.0..=1.0).contains(&number(&label["similarity"]))), "{answer}");
        if input.get("text").is_some() {
            assert_eq!(found[0]["label"], "dog");
        }
    }
    for (body, pointer) in [
        (json!({"input": {"text": "x"}, "labels": ["one"]}), "/labels"),
        (json!({"input": {"text": "x"}, "labels": ["one", " "]}), "/labels/1"),
        (json!({"input": {"text": "x"}, "labels": ["one", "two"], "template": "no place"}), "/template"),
        (json!({"input": {}, "labels": ["one", "two"]}), "/input"),
    ] {
        let answer = api.post("/v1/classify", &body).await;
        assert_eq!(answer.problem(422, "invalid")["errors"][0]["pointer"], pointer, "{body}");
    }
}

async fn captions_are_labels(server: Arc<Server>) {
    let api = server.tenant("captions");
    for input in [
        json!({"image": {"base64": base64(&sample("drawings/dog.svg"))}}),
        json!({"audio": {"base64": base64(&sample("sounds/rain.wav"))}}),
    ] {
        let answer = api.post("/v1/captions", &json!({"input": input, "count": 4})).await.expect(200);
        assert_eq!(answer["method"], "nearest_labels");
        let labels = list(&answer, "/labels");
        assert_eq!(labels.len(), 4);
        let similarities: Vec<f64> = labels.iter().map(|label| number(&label["similarity"])).collect();
        assert!(similarities.is_sorted_by(|a, b| a >= b), "{answer}");
        for label in labels {
            assert!(
                !label["label"].as_str().unwrap().is_empty() && (0.0..=1.0).contains(&number(&label["score"])),
                "{label}"
            );
        }
    }
    let text = api.post("/v1/captions", &json!({"input": {"text": "x"}})).await;
    assert_eq!(text.problem(422, "invalid")["errors"][0]["pointer"], "/input/text");
    let none =
        api.post("/v1/captions", &json!({"input": {"image": {"base64": base64(&png(9, 9, 1))}}, "count": 0})).await;
    assert_eq!(none.problem(422, "invalid")["errors"][0]["pointer"], "/count");
}

async fn models_are_told(server: Arc<Server>) {
    let models = server.tenant("models").read("/v1/models").await;
    assert_eq!((&models["profile"], &models["generation"]), (&json!("starter"), &json!(1)));
    let space = &models["spaces"][0];
    assert_eq!((&space["name"], &space["dimensions"]), (&json!("shared"), &json!(384)));
    let towers = list(space, "/towers");
    assert_eq!(towers.len(), 3);
    assert!(
        towers
            .iter()
            .all(|tower| tower["model"].as_str().unwrap().contains('@')
                && !tower["licence"].as_str().unwrap().is_empty())
    );
    for tower in towers {
        assert_eq!(
            (&tower["precision"], &tower["device"], &tower["state"]),
            (&json!("f32"), &json!("cpu"), &json!("loaded"))
        );
        assert!(tower["weights_bytes"].as_u64().unwrap() > 1_000_000, "{tower}");
    }
    // Readiness is told by a vector of the text tower.
    let measured = &towers.iter().find(|tower| tower["modality"] == "text").unwrap()["measured"];
    assert!(measured["encoded"].as_u64().unwrap() > 0 && measured["failed"] == 0, "{measured}");
    assert!(measured["per_second"].as_f64().unwrap() > 1.0, "{measured}");
    assert!(!list(&models, "/notes").is_empty());
}
