//! A backup of a running server becomes a server that knows the same.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::client::{Api, id, list};
use crate::server::{Server, eventually, finish, program};

async fn found(api: &Api, word: &str) -> Vec<Value> {
    list(&api.search(&json!({"inputs": [{"text": word}], "spaces": ["lexical"], "page_size": 50})).await, "/hits")
        .clone()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_server_is_restored() {
    // Every part has a file.
    let mut server = Server::start_with(&[("blobs.inline_bytes", "0")]).await;
    let owner = server.owner();
    for number in 0..20 {
        owner.add(&json!({"external_id": format!("d{number}"), "parts": [{"text": format!("the heron number {number}")}]})).await;
    }
    let other = server.tenant("other");
    let theirs = other.add_text("default", "a lonely kingfisher").await;
    let token = server.token(&json!({"tenant": "other", "scope": "read", "exp": crate::server::now_s() + 3600}));

    // Documents come and go while the archive is written; what was there before is in it whatever happens beside.
    let place = tempfile::tempdir().unwrap();
    let archive = place.path().join("archive.tar").display().to_string();
    let beside = async {
        for number in 0..20 {
            let added = owner.add(&json!({"parts": [{"text": format!("a passing swift {number}")}]})).await;
            if number % 2 == 0 {
                owner.delete(&format!("/v1/documents/{}", id(&added["document"]))).await.expect(202);
            }
        }
    };
    let arguments = ["backup", archive.as_str()];
    let (written, ()) = tokio::join!(server.command(&arguments), beside);
    assert!(written.status.success(), "{}", text(&written.stderr));
    assert!(
        fs::read_dir(server.data_dir())
            .unwrap()
            .all(|entry| { !entry.unwrap().file_name().to_str().unwrap().starts_with("backup.") })
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o077, 0, "it holds keys");
    }
    let again = server.command(&arguments).await;
    assert!(!again.status.success() && text(&again.stderr).contains("exists"), "{}", text(&again.stderr));

    server.kill();
    let refused = restore(Path::new(&archive), &server.data_dir()).await;
    assert!(!refused.status.success() && text(&refused.stderr).contains("not empty"), "{}", text(&refused.stderr));
    fs::remove_dir_all(server.data_dir()).unwrap();
    let cut = place.path().join("cut.tar");
    let bytes = fs::read(&archive).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let refused = restore(&cut, &server.data_dir()).await;
    assert!(
        !refused.status.success() && text(&refused.stderr).contains("no whole backup"),
        "{}",
        text(&refused.stderr)
    );
    assert!(!server.data_dir().exists(), "half a backup leaves nothing");

    let restored = restore(Path::new(&archive), &server.data_dir()).await;
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    server.restart().await;
    let (owner, other) = (server.owner(), server.with_credentials(&token));
    eventually("the index is filled", async || {
        let is_filled = found(&owner, "heron").await.len() == 20 && !found(&other, "kingfisher").await.is_empty();
        is_filled.then_some(())
    })
    .await;
    assert_eq!(found(&other, "kingfisher").await[0]["document"]["id"], theirs, "old tokens and other tenants too");
    for document in owner.all("/v1/documents", "documents", 50).await {
        let whole = owner.read(&format!("/v1/documents/{}", id(&document))).await;
        let part = id(&whole["parts"][0]);
        assert_eq!(owner.get(&format!("/v1/parts/{part}/content")).await.status, 200, "{whole}");
    }
    owner.add_text("default", "life goes on").await;
    assert!(server.stop().await.success());
    let checked = server.command(&["fsck"]).await;
    assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
}

async fn restore(archive: &Path, folder: &Path) -> std::process::Output {
    let mut command = program();
    command.arg("restore").arg(archive).arg("--data-dir").arg(folder);
    finish(command).await
}
