//! The command line against a running server: what it prints, and its exit codes.

use std::fs;
use std::process::Output;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cases::cases;
use crate::client::{id, list};
use crate::media::{png, sample};
use crate::server::{Server, finish, program, run};

#[tokio::test]
async fn cli() {
    cases!(Arc::new(Server::start().await);
        files_and_folders_are_added_and_found,
        a_changed_file_replaces_its_document,
        bad_files_are_named_and_the_rest_goes_in,
        documents_are_listed_shown_and_deleted,
        jobs_are_listed_and_watched,
        collections_and_models_are_told,
        models_of_this_machine,
        exit_codes_tell_what_went_wrong,
        variables_name_server_and_key,
    );
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn expect(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
fn one_json(output: &Output) -> Value {
    let stdout = expect(output, 0);
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
}

fn json_lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn files_and_folders_are_added_and_found(server: Arc<Server>) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("inner")).unwrap();
    fs::write(folder.path().join("two-wheels.md"), sample("texts/two-wheels.md")).unwrap();
    fs::write(folder.path().join("inner/dog.svg"), sample("drawings/dog.svg")).unwrap();
    fs::write(folder.path().join(".hidden"), "not for you").unwrap();
    let path = folder.path().display().to_string();
    let add = ["add", &path, "-c", "cli-add", "--tag", "sample", "--metadata", "{\"year\": 2026}", "--wait", "--json"];
    let added = json_lines(&expect(&server.command(&add).await, 0));
    assert_eq!(added.len(), 2);
    assert!(added.iter().all(|line| line["status"] == "ready"), "{added:?}");
    let again = json_lines(&expect(&server.command(&add).await, 0));
    let ids = |lines: &[Value]| {
        let mut ids: Vec<_> = lines.iter().map(|line| line["document"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&again), ids(&added), "adding the same again adds nothing");
    let found = one_json(
        &server.command(&["search", "bicycles", "-c", "cli-add", "--json", "--explain", "--tag", "sample"]).await,
    );
    assert_eq!(found["hits"][0]["segment"]["part"]["name"], "two-wheels.md");
    assert!(!list(&found, "/hits/0/explain/legs").is_empty());
    let told = expect(&server.command(&["search", "bicycles", "-c", "cli-add"]).await, 0);
    assert!(told.contains("two-wheels.md") && !told.contains('\u{1b}'), "{told}");
    let picture = folder.path().join("inner/dog.svg").display().to_string();
    let by_picture =
        one_json(&server.command(&["search", "--image", &picture, "-c", "cli-add", "-t", "image", "--json"]).await);
    assert_eq!(by_picture["hits"][0]["segment"]["part"]["name"], "dog.svg");
    let table = expect(&server.command(&["add", &picture, "-c", "cli-add-2"]).await, 0);
    assert!(table.contains("1 accepted") || table.contains("1 ready"), "{table}");
}

async fn a_changed_file_replaces_its_document(server: Arc<Server>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("note.txt");
    let path = file.display().to_string();
    let add = ["add", &path, "-c", "cli-change", "--external-id-from", "path", "--wait", "--json"];
    fs::write(&file, "the axolotl swims").unwrap();
    let first = json_lines(&expect(&server.command(&add).await, 0));
    fs::write(&file, "the tapir walks").unwrap();
    let second = json_lines(&expect(&server.command(&add).await, 0));
    assert_eq!(first[0]["document"], second[0]["document"]);
    let api = server.owner();
    assert_eq!(api.with_word("axolotl").await, [""; 0]);
    assert_eq!(json!(api.with_word("tapir").await), json!([second[0]["document"]]));
}

async fn bad_files_are_named_and_the_rest_goes_in(server: Arc<Server>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("good.txt"), "good words").unwrap();
    fs::write(folder.path().join("cut.png"), &png(64, 64, 1)[..100]).unwrap();
    let path = folder.path().display().to_string();
    let lines = json_lines(&expect(
        &server.command(&["add", &path, "/nonexistent/file", "-c", "cli-bad", "--wait", "--json"]).await,
        1,
    ));
    let status = |name: &str| {
        lines.iter().find(|line| line["path"].as_str().unwrap().ends_with(name)).unwrap()["status"].clone()
    };
    assert_eq!(
        (status("good.txt"), status("cut.png"), status("/nonexistent/file")),
        (json!("ready"), json!("refused"), json!("refused"))
    );
    let table = text(&server.command(&["add", &path, "-c", "cli-bad", "--wait"]).await.stdout);
    assert!(table.contains("cut.png") && table.contains("1 refused"), "{table}");
}

async fn documents_are_listed_shown_and_deleted(server: Arc<Server>) {
    let api = server.owner();
    let mut added = Vec::new();
    for n in 0..3 {
        added.push(id(&api.add(&json!({"collection": "cli-documents", "title": format!("Title {n}"), "parts": [{"text": format!("n {n}")}]})).await["document"]));
    }
    let listed = one_json(&server.command(&["documents", "list", "-c", "cli-documents", "--json", "-n", "2"]).await);
    assert_eq!(list(&listed, "/documents").len(), 2);
    let all = one_json(&server.command(&["documents", "list", "-c", "cli-documents", "--json", "--all"]).await);
    assert_eq!(list(&all, "/documents").len(), 3);
    let table = expect(&server.command(&["documents", "list", "-c", "cli-documents"]).await, 0);
    assert!(table.contains("Title 1") && table.contains(&added[1]), "{table}");
    let shown = one_json(&server.command(&["documents", "get", &added[0], "--json"]).await);
    assert_eq!(shown["title"], "Title 0");
    assert!(expect(&server.command(&["documents", "get", &added[0]]).await, 0).contains("text/plain"));
    expect(&server.command(&["documents", "delete", &added[0], "--wait"]).await, 0);
    expect(&server.command(&["documents", "get", &added[0]]).await, 1);
    let missing = server.command(&["documents", "delete", &added[0], &added[1]]).await;
    expect(&missing, 1);
    assert!(text(&missing.stderr).contains(&added[0]));
    assert_eq!(api.all("/v1/documents?collection=cli-documents", "documents", 10).await.len(), 1);
}

async fn jobs_are_listed_and_watched(server: Arc<Server>) {
    let accepted = server
        .owner()
        .post("/v1/documents", &json!({"collection": "cli-jobs", "parts": [{"text": "watched"}]}))
        .await
        .expect(202);
    let job = id(&accepted["job"]);
    let watched = json_lines(&expect(&server.command(&["jobs", "watch", &job, "--json"]).await, 0));
    assert_eq!(watched.last().unwrap()["state"], "succeeded");
    let listed = one_json(&server.command(&["jobs", "list", "--document", &id(&accepted["document"]), "--json"]).await);
    assert_eq!(list(&listed, "/jobs").len(), 1);
    assert!(expect(&server.command(&["jobs", "list", "--state", "succeeded"]).await, 0).contains("ingest"));
    assert_eq!(one_json(&server.command(&["jobs", "get", &job, "--json"]).await)["state"], "succeeded");
    let late = server.command(&["jobs", "cancel", &job]).await;
    expect(&late, 1);
    assert!(text(&late.stderr).contains("409"), "{}", text(&late.stderr));
}

async fn collections_and_models_are_told(server: Arc<Server>) {
    server.owner().add_text("cli-collections", "words").await;
    let listed = one_json(&server.command(&["collections", "list", "--json"]).await);
    assert!(list(&listed, "/collections").iter().any(|collection| collection["name"] == "cli-collections"));
    let models = one_json(&server.command(&["models", "running", "--json"]).await);
    assert_eq!(models["profile"], "starter");
    assert!(expect(&server.command(&["models", "running"]).await, 0).contains("MiniLM"));
}

async fn models_of_this_machine(_: Arc<Server>) {
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let models = async |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = program();
        command.arg("models").args(arguments).env("HF_HUB_CACHE", folder.path().join("hub"));
        command.env("SENSORIUM_DATA_DIR", folder.path().join("data")).env("HF_ENDPOINT", format!("http://{free}"));
        command.envs(variables.iter().copied());
        finish(command).await
    };
    let listed = one_json(&models(&["list", "--json"], &[]).await);
    let profiles = list(&listed, "/profiles");
    assert_eq!(profiles.iter().map(|profile| &profile["name"]).collect::<Vec<_>>(), ["starter", "standard", "clip"]);
    let starter = list(&profiles[0], "/models");
    assert!(starter.iter().all(|model| model["state"] == "here"), "{starter:?}");
    assert!(list(&profiles[1], "/models").iter().all(|model| model["state"] == "absent"));
    assert!(expect(&models(&["list", "clip"], &[]).await, 0).contains("openai/clip-vit-base-patch32"));
    // What is here needs no hub; what is not says what to do.
    expect(&models(&["verify", "starter"], &[]).await, 0);
    expect(&models(&["pull"], &[]).await, 0);
    expect(&models(&["pull", "omni"], &[]).await, 2);
    let offline = models(&["pull", "standard", "--model", "whisper-small"], &[("HF_HUB_OFFLINE", "1")]).await;
    expect(&offline, 1);
    assert!(text(&offline.stderr).contains("HF_HUB_OFFLINE"), "{}", text(&offline.stderr));
    let absent = models(&["verify", "standard", "--json"], &[]).await;
    assert_eq!(absent.status.code(), Some(1));
    let first: Value = serde_json::from_str(text(&absent.stdout).lines().next().unwrap()).unwrap();
    assert_eq!((&first["ok"], &first["profile"]), (&json!(false), &json!("standard")));
    assert!(first["error"].as_str().unwrap().contains("sensorium models pull"), "{first}");
    // A checkpoint of one's own is a file.
    let own = folder.path().join("own.toml");
    let text_of_it = "name = \"own\"\nsummary = \"ours\"\n[models.m]\nfolder = \"m\"\nlicence = \"ours\"\n[spaces.s]\ndimensions = 4\ntowers = { text = \"m\" }\n";
    fs::write(&own, text_of_it).unwrap();
    fs::create_dir(folder.path().join("m")).unwrap();
    let own = own.to_str().unwrap();
    expect(&models(&["verify", own], &[]).await, 1);
    fs::write(folder.path().join("m/model.safetensors"), "x").unwrap();
    expect(&models(&["verify", own], &[]).await, 0);
}

async fn exit_codes_tell_what_went_wrong(server: Arc<Server>) {
    expect(&server.command(&["search", "x", "-c", "cli-nothing"]).await, 0);
    expect(&server.command(&["search", "x", "-c", "cli-nothing", "--fail-empty"]).await, 4);
    expect(&server.command(&["search"]).await, 2);
    expect(&server.command(&["search", "x", "--limit", "0"]).await, 2);
    expect(&server.command(&["add"]).await, 2);
    expect(&run(&["frobnicate"]).await, 2);
    expect(&server.command(&["search", "x", "--key", "sk_wrong"]).await, 1);
    expect(&run(&["search", "x", "--url", "http://127.0.0.1:1", "--key", "k"]).await, 3);
    let empty = tempfile::tempdir().unwrap();
    let nobody = run(&["search", "x", "--data-dir", &empty.path().display().to_string()]).await;
    expect(&nobody, 3);
    assert!(text(&nobody.stderr).contains("sensorium serve"), "{}", text(&nobody.stderr));
}

async fn variables_name_server_and_key(server: Arc<Server>) {
    server.tenant("variables").add_text("default", "found by variables").await;
    let claims = json!({"tenant": "variables", "scope": "read", "exp": crate::server::now_s() + 600});
    let mut command = program();
    command
        .args(["search", "variables", "--json"])
        .env("SENSORIUM_URL", server.url())
        .env("SENSORIUM_API_KEY", server.token(&claims));
    assert_eq!(list(&one_json(&finish(command).await), "/hits").len(), 1);
}
