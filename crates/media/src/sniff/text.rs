//! Text: plain, Markdown, SVG; HTML is named and refused.

use crate::error::MediaError;
use crate::media_type::MediaType;
use crate::text::to_utf8;

/// How much of a text is looked at for marks of Markdown.
const LOOKED_AT_BYTES: usize = 64 * 1024;

pub(super) fn sniff(bytes: &[u8], hint: Option<&str>) -> Result<MediaType, MediaError> {
    let text = to_utf8(bytes).map_err(|error| match error {
        MediaError::NotUtf8 { .. } if !looks_like_text(bytes) => {
            MediaError::Unknown { found: "binary data".to_owned() }
        }
        error => error,
    })?;
    if let Some(control) = text.chars().find(|&c| is_binary_control(c)) {
        let found = format!("binary data, with the control character U+{:04X}", u32::from(control));
        return Err(MediaError::Unknown { found });
    }
    match first_element(&text) {
        Some(name) if name == "svg" || name.ends_with(":svg") => return Ok(MediaType::Svg),
        Some(name) if matches!(name.as_str(), "html" | "!doctype html" | "head" | "body") => {
            return Err(MediaError::unsupported("HTML", "save it as Markdown or plain text"));
        }
        _ => {}
    }
    let by_hint = hint.and_then(flavour_of_hint);
    Ok(by_hint.unwrap_or_else(|| flavour_of_content(&text)))
}

/// Bytes that are not UTF-8 and yet look like writing, as in Latin-1: few control characters and no zeros.
fn looks_like_text(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(4096)];
    let controls = head.iter().filter(|&&byte| is_binary_control(char::from(byte & 0x7f))).count();
    let high = head.iter().filter(|byte| !byte.is_ascii()).count();
    controls == 0 && high * 3 < head.len()
}

/// Control characters that text files do not hold; tab, line ends, form feed and escape do occur in them.
fn is_binary_control(c: char) -> bool {
    matches!(c, '\0'..='\x08' | '\x0e'..='\x1a' | '\x1c'..='\x1f')
}

/// The name of the first element of a text that is XML or HTML, in lower case. Declarations and comments are skipped; a
/// document type is skipped unless it is that of HTML.
fn first_element(text: &str) -> Option<String> {
    let mut rest = text.trim_start();
    loop {
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->")?.1.trim_start();
        } else if rest.starts_with("<?") {
            rest = rest.split_once("?>")?.1.trim_start();
        } else if rest.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype")) {
            let name = rest.get(9..)?.trim_start();
            if name.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("html")) {
                return Some("!doctype html".to_owned());
            }
            rest = after_doctype(name)?.trim_start();
        } else {
            break;
        }
    }
    let name = rest.strip_prefix('<')?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != ':' && c != '-')?;
    Some(name[..end].to_ascii_lowercase())
}

/// What follows a document type, whose square brackets may hold further declarations.
fn after_doctype(doctype: &str) -> Option<&str> {
    let close = doctype.find('>')?;
    match doctype.find('[') {
        Some(open) if open < close => doctype.split_once(']')?.1.split_once('>').map(|(_, rest)| rest),
        _ => doctype.get(close + 1..),
    }
}

/// What the sender says, be it a file name or a media type; `None` where it says neither plain nor Markdown.
fn flavour_of_hint(hint: &str) -> Option<MediaType> {
    let hint = hint.split(';').next()?.trim().to_ascii_lowercase();
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| hint.ends_with(suffix));
    if ends(&["text/markdown", "text/x-markdown", ".md", ".markdown", ".mdown", ".mkd"]) {
        return Some(MediaType::Markdown);
    }
    if hint.contains('/') && hint != "text/plain" || !hint.contains('/') && !hint.contains('.') {
        return None;
    }
    Some(MediaType::PlainText)
}

fn flavour_of_content(text: &str) -> MediaType {
    let head = &text[..text.floor_char_boundary(LOOKED_AT_BYTES)];
    let any_line = |test: fn(&str) -> bool| head.lines().any(test);
    let strong = [
        any_line(|line| {
            let title = line.trim_start_matches('#');
            (1..=6).contains(&(line.len() - title.len())) && title.starts_with(' ')
        }),
        any_line(|line| line.starts_with("```") || line.starts_with("~~~")),
        head.contains("]("),
    ];
    let weak = [
        any_line(|line| line.starts_with("- ") || line.starts_with("* ") || line.starts_with("1. ")),
        any_line(|line| line.starts_with("> ")),
        any_line(|line| line.starts_with('|') && line.contains("---")),
        any_line(|line| line.len() > 2 && (line.chars().all(|c| c == '=') || line.chars().all(|c| c == '-'))),
        head.contains("**"),
        head.contains('`'),
    ];
    let count = |marks: &[bool]| marks.iter().filter(|&&mark| mark).count();
    if count(&strong) > 0 && count(&strong) + count(&weak) > 1 { MediaType::Markdown } else { MediaType::PlainText }
}
