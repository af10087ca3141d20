//! Settings are checked before anything happens.

use std::fs;
use std::process::Output;
use std::sync::Arc;

use crate::cases::cases;
use crate::server::{Server, finish, program, run};

#[tokio::test]
async fn config() {
    cases!(Arc::new(Server::start().await);
        every_fault_is_reported_at_once,
        the_shipped_file_is_valid,
        listening_to_the_world_needs_a_secret,
        one_server_a_data_folder,
        a_stopped_server_says_farewell_and_comes_back,
    );
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn every_fault_is_reported_at_once(_: Arc<Server>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.toml");
    fs::write(&file, "[server]\nlisten = 5\n[search]\ndepht = 1\ndepth = 0\n[nope]\nx = 1\n[log]\nformat = \"xml\"\n")
        .unwrap();
    let mut command = program();
    command.arg("check-config").arg("--config").arg(&file).env("SENSORIUM__JOBS__WORKERS", "many");
    let checked = finish(command).await;
    assert_eq!(checked.status.code(), Some(1));
    let told = errors(&checked);
    for fault in ["server.listen", "depht", "search.depth", "[nope]", "log.format", "SENSORIUM__JOBS__WORKERS"] {
        assert!(told.contains(fault), "{fault} is not in: {told}");
    }
    let missing = run(&["check-config", "--config", "/nonexistent/file.toml"]).await;
    assert_eq!(missing.status.code(), Some(1));
    assert!(errors(&missing).contains("/nonexistent/file.toml"));
    // The server refuses the same.
    let mut command = program();
    command.arg("serve").arg("--config").arg(&file).arg("--data-dir").arg(folder.path().join("data"));
    let refused = finish(command).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(errors(&refused).contains("depht"));
    assert!(!folder.path().join("data").exists(), "nothing has happened");
}

async fn the_shipped_file_is_valid(_: Arc<Server>) {
    let checked = run(&["check-config", "--config", "config/sensorium.toml"]).await;
    assert!(checked.status.success(), "{}", errors(&checked));
    assert!(run(&["check-config"]).await.status.success());
}

async fn listening_to_the_world_needs_a_secret(_: Arc<Server>) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let refused = run(&["serve", "--listen", "0.0.0.0:0", "--data-dir", &data]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(errors(&refused).contains("auth.hs256_secret"), "{}", errors(&refused));
    let mut short = program();
    short
        .arg("check-config")
        .env("SENSORIUM__SERVER__LISTEN", "0.0.0.0:80")
        .env("SENSORIUM__AUTH__HS256_SECRET", "short");
    assert_eq!(finish(short).await.status.code(), Some(1));
    let mut good = program();
    good.arg("check-config")
        .env("SENSORIUM__SERVER__LISTEN", "0.0.0.0:80")
        .env("SENSORIUM__AUTH__HS256_SECRET", "s".repeat(32));
    assert!(finish(good).await.status.success());
}

async fn one_server_a_data_folder(server: Arc<Server>) {
    let second = server.command(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(second.status.code(), Some(1));
    let told = errors(&second);
    assert!(told.contains("in use") && told.contains(&server.data_dir_text()), "{told}");
    let fsck = server.command(&["fsck"]).await;
    assert_eq!(fsck.status.code(), Some(1));
    assert!(errors(&fsck).contains("in use"), "{}", errors(&fsck));
    assert_eq!(server.stranger().read("/readyz").await["status"], "ok");
}

async fn a_stopped_server_says_farewell_and_comes_back(_: Arc<Server>) {
    let mut server = Server::start().await;
    let before = server.owner().add_text("default", "the okapi remains").await;
    assert!(server.stop().await.success());
    assert!(!server.data_dir().join("server.json").exists());
    server.restart().await;
    assert_eq!(server.owner().with_word("okapi").await, [before]);
}
