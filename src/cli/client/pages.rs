//! Lists, page by page.

use serde_json::Value;

use super::http::Client;
use super::problem::CliError;

/// The most that the server puts on a page.
const LARGEST: usize = 500;

/// Up to `limit` items (all when `None`) of `/v1/{resource}` with this query, as the server lists them under `resource`,
/// and the token for what follows.
pub async fn collect(
    client: &Client,
    resource: &str,
    query: &[(&str, String)],
    mut token: Option<String>,
    limit: Option<usize>,
) -> Result<Value, CliError> {
    let mut items: Vec<Value> = Vec::new();
    loop {
        let missing = limit.map_or(LARGEST, |limit| limit - items.len().min(limit)).min(LARGEST);
        let mut query = query.to_vec();
        query.push(("page_size", missing.to_string()));
        query.extend(token.take().map(|token| ("page_token", token)));
        let mut page = client.get(&[resource], &query).await?;
        let more = page.get_mut(resource).and_then(Value::as_array_mut).map(std::mem::take);
        let more = more.ok_or_else(|| CliError::Failed(format!("the server's answer has no \"{resource}\"")))?;
        let empty = more.is_empty();
        items.extend(more);
        token = page.get("next_page_token").and_then(Value::as_str).map(str::to_owned);
        let enough = limit.is_some_and(|limit| items.len() >= limit);
        if token.is_none() || enough || empty {
            return Ok(serde_json::json!({ resource: items, "next_page_token": token }));
        }
    }
}

/// A cell of a table: a text as it is, null as nothing, a list joined, anything else as JSON.
pub fn cell(item: &Value, pointer: &str) -> String {
    match item.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => list.iter().map(|item| cell(item, "")).collect::<Vec<_>>().join(", "),
        Some(other) => other.to_string(),
    }
}

/// Rows of a list: the cells at `pointers` of each item.
pub fn rows(page: &Value, resource: &str, pointers: &[&str]) -> Vec<Vec<String>> {
    let items = page.get(resource).and_then(Value::as_array);
    items.into_iter().flatten().map(|item| pointers.iter().map(|pointer| cell(item, pointer)).collect()).collect()
}

/// Tells on stderr that there is more.
pub fn tell_more(page: &Value) {
    if let Some(token) = page.get("next_page_token").and_then(Value::as_str) {
        eprintln!("more: repeat with --page-token {token}, or with --all");
    }
}
