//! What is refused by the look of the source alone, before an XML parser sees it.

use super::corrupt;
use crate::error::MediaError;

/// XML parsers compare every attribute of an element with every other.
const MOST_ATTRIBUTES: usize = 512;

/// Bytes that references to entities may add to the document.
const MOST_ENTITY_BYTES: usize = 1024 * 1024;

/// Refuses elements with very many attributes, and entities that could multiply: those that hold elements or other
/// entities, and those that are used very often.
pub(super) fn check(text: &str) -> Result<(), MediaError> {
    let mut rest = text;
    let mut doctype_bytes = 0;
    while let Some(open) = rest.find('<') {
        rest = &rest[open..];
        let length = if rest.starts_with("<!--") {
            rest.find("-->").map(|end| end + 3)
        } else if rest.starts_with("<![CDATA[") {
            rest.find("]]>").map(|end| end + 3)
        } else if rest.starts_with("<!DOCTYPE") {
            let length = doctype(rest)?;
            doctype_bytes += length.unwrap_or_default();
            length
        } else {
            element(rest)?
        };
        // The parser says what is wrong with one that does not end.
        let Some(length) = length else { break };
        rest = &rest[length..];
    }
    check_entity_uses(text, doctype_bytes)
}

/// The length of a tag.
fn element(tag: &str) -> Result<Option<usize>, MediaError> {
    let mut quote = None;
    let mut attributes = 0;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            (None, b'=') => attributes += 1,
            (None, b'>') => return Ok(Some(at + 1)),
            _ => {}
        }
        if attributes > MOST_ATTRIBUTES {
            return Err(corrupt(format!("an element has more than {MOST_ATTRIBUTES} attributes")));
        }
    }
    Ok(None)
}

/// The length of a document type with its declarations.
fn doctype(text: &str) -> Result<Option<usize>, MediaError> {
    let mut quote = None;
    let mut in_brackets = false;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), b'<' | b'&') => {
                return Err(corrupt("an entity holds elements or other entities, which is not taken"));
            }
            (None, b'[') => in_brackets = true,
            (None, b']') => in_brackets = false,
            (None, b'>') if !in_brackets => return Ok(Some(at + 1)),
            _ => {}
        }
    }
    Ok(None)
}

fn check_entity_uses(text: &str, doctype_bytes: usize) -> Result<(), MediaError> {
    const PREDEFINED: [&str; 6] = ["#", "amp;", "lt;", "gt;", "quot;", "apos;"];
    if doctype_bytes == 0 {
        return Ok(());
    }
    let uses = text.split('&').skip(1).filter(|rest| !PREDEFINED.iter().any(|name| rest.starts_with(name))).count();
    if uses.saturating_mul(doctype_bytes) > MOST_ENTITY_BYTES {
        return Err(corrupt(format!("it uses entities {uses} times, which is not taken")));
    }
    Ok(())
}
