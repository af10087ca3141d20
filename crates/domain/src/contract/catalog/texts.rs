//! Texts come back as they were given, or are refused.

use serde_json::Value;

use super::CatalogFixture;
use super::sample::{NotFound, Stage, refused};
use crate::catalog::{CatalogError, DocumentQuery, NewDocument};
use crate::filter::Filter;
use crate::names::CollectionName;

/// Numbers, the order of keys, long and strange texts.
pub async fn texts_come_back_as_they_were_given(fixture: &dyn CatalogFixture) {
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let json = r#"{"z":1e16,"aa":-0.0,"b":1e300,"a":18446744073709551615,"":{"größe":[0.1,null,"\\u0000"]}}"#;
    let external_id = "\u{1f980}".repeat(1000);
    let mut new = stage.unstored(Some(&external_id), &["one"]);
    new.metadata = serde_json::from_str(json).unwrap();
    new.tags = vec![String::new(), "it's \"so\" \\ %_\n".to_owned()];
    new.title = Some("\u{1}\u{fffd}\r\n".to_owned());
    let wanted = new.clone();
    stage.accept_new(acme, new).await;
    let found = catalog.document_by_external_id(acme, &CollectionName::default(), &external_id).await.unwrap();
    assert_eq!((found.title, found.tags), (wanted.title, wanted.tags));
    assert_eq!(serde_json::to_string(&found.metadata).unwrap(), serde_json::to_string(&wanted.metadata).unwrap());
}

/// U+0000, which not every database can keep, comes back or is refused as invalid; asking for it is never an error.
pub async fn a_zero_character_comes_back_or_is_refused(fixture: &dyn CatalogFixture) {
    const ZERO: &str = "a\0b";
    type Change = fn(&mut NewDocument);
    let stage = Stage::open(fixture).await;
    let (catalog, acme) = (&stage.catalog, &stage.acme);
    let changes: [Change; 4] = [
        |new| new.title = Some(ZERO.to_owned()),
        |new| new.external_id = Some(ZERO.to_owned()),
        |new| new.tags = vec![ZERO.to_owned()],
        |new| new.metadata = [("key".to_owned(), Value::from(ZERO))].into_iter().collect(),
    ];
    let described =
        |new: &NewDocument| (new.title.clone(), new.external_id.clone(), new.tags.clone(), new.metadata.clone());
    for change in changes {
        let mut new = stage.unstored(None, &["one"]);
        change(&mut new);
        stage.store_blobs(acme, &new).await;
        match catalog.accept_document(acme, new.clone()).await {
            Ok((document, _)) => {
                let found = catalog.document(acme, document.id).await.unwrap();
                assert_eq!(described(&new), (found.title, found.external_id, found.tags, found.metadata));
            }
            Err(CatalogError::Invalid(_)) => refused(catalog.document(acme, new.id).await, NotFound),
            Err(error) => panic!("{error:?}"),
        }
    }
    for key in ["title", "external_id", "tags", "metadata.key"] {
        let condition = serde_json::json!({"must": [{"key": key, "match": {"value": ZERO}}]});
        let filter: Filter = serde_json::from_value(condition).unwrap();
        catalog.documents(acme, &DocumentQuery { filter, limit: 9, ..DocumentQuery::default() }).await.unwrap();
    }
    let unread = catalog.document_by_external_id(acme, &CollectionName::default(), "b\0a").await;
    assert!(matches!(unread, Err(CatalogError::NotFound(_) | CatalogError::Invalid(_))), "{unread:?}");
}
