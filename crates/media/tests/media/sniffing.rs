//! What a file is, by its content.

use sensorium_media::{MediaError, MediaType, sniff};

use crate::support::{self, rasters, recordings};

fn code(bytes: &[u8]) -> &'static str {
    sniff(bytes, None).map_or_else(|error| error.code(), MediaType::as_str)
}

#[test]
fn every_supported_type_is_recognised_whatever_the_name_says() {
    for (media_type, bytes) in rasters().into_iter().chain(recordings()) {
        assert_eq!(sniff(&bytes, Some("notes.txt")), Ok(media_type));
    }
    assert_eq!(code(support::SVG.as_bytes()), "image/svg+xml");
    assert_eq!(code(b"Plain words, nothing else."), "text/plain");
    assert_eq!(code(b"# Title\n\nSome **bold** words and a [link](https://example.org)."), "text/markdown");
}

#[test]
fn names_are_stable_and_read_back() {
    for media_type in MediaType::ALL {
        assert_eq!(media_type.as_str().parse(), Ok(media_type));
        assert!(!media_type.extension().is_empty());
    }
}

#[test]
fn the_hint_decides_between_plain_and_markdown_only() {
    let cases = [
        ("# Title\n\n- one\n- two", Some("a.txt"), MediaType::PlainText),
        ("# Title\n\n- one\n- two", None, MediaType::Markdown),
        ("just words", Some("README.md"), MediaType::Markdown),
        ("just words", Some("text/markdown; charset=utf-8"), MediaType::Markdown),
        ("just words", Some("picture.png"), MediaType::PlainText),
        ("just words", Some("image/png"), MediaType::PlainText),
        ("# Title\n\n- one\n- two", Some("application/octet-stream"), MediaType::Markdown),
        ("# a comment in a script\nls -l", None, MediaType::PlainText),
    ];
    for (text, hint, expected) in cases {
        assert_eq!(sniff(text.as_bytes(), hint), Ok(expected), "{text:?} with {hint:?}");
    }
}

#[test]
fn what_is_known_and_not_taken_is_named() {
    let cases: [(&[u8], &str); 14] = [
        (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b"  <HTML lang=\"en\"><body>", "HTML"),
        (b"PK\x03\x04\x14\0", "ZIP"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "AVIF"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI"),
        (b"FORM\0\0\0\0AIFF", "AIFF"),
        (b"\x1aE\xdf\xa3\x01", "Matroska"),
        (b"\0\0\x01\0\x01\0", "ICO"),
        (support::OGG_OPUS, "Opus"),
        (support::VIDEO_MP4, "video"),
        (support::VIDEO_WEBM, "WebM"),
    ];
    for (bytes, name) in cases {
        let error = sniff(bytes, None).expect_err(name);
        assert_eq!(error.code(), "media_type_unsupported", "{name}");
        let message = error.to_string();
        assert!(message.contains(name) && message.contains("supported are"), "{message}");
    }
}

#[test]
fn what_is_nothing_says_so() {
    assert_eq!(sniff(b"", None), Err(MediaError::Empty));
    assert_eq!(code(b"\0\x01\x02\x03\x04\x05\x06\x07\x08"), "media_type_unknown");
    assert_eq!(code(&[0xde, 0xad, 0xbe, 0xef, 0x00, 0x90, 0xfe, 0x01]), "media_type_unknown");
    assert_eq!(code(b"caf\xe9 in Latin-1, as older programs write it"), "text_not_utf8");
    assert_eq!(code(b"BMW is a word and no bitmap"), "text/plain");
    assert_eq!(code(b"II*"), "text/plain");
}

#[test]
fn byte_order_marks_and_utf16_are_understood() {
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain("h\u{e9}llo \u{1f600}".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(code(&utf16), "text/plain");
    let hello = b"\xff\xfeh\0e\0l\0l\0o\0";
    assert_eq!(code(hello), "text/plain");
    assert_eq!(code(&hello.repeat(200)), "text/plain");
    assert_eq!(code(b"\xef\xbb\xbfhello"), "text/plain");
    assert_eq!(code(b"\xff\xfeh"), "media_type_unknown");
}

#[test]
fn svg_is_found_behind_declarations() {
    let cases = [
        "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "\u{feff}<?xml version='1.0'?>\n<!-- <html> -->\n<svg/>",
        "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"svg11.dtd\" [ <!ENTITY a \"b\"> ]>\n<svg/>",
        "<s:svg xmlns:s='http://www.w3.org/2000/svg'/>",
    ];
    for text in cases {
        assert_eq!(code(text.as_bytes()), "image/svg+xml", "{text}");
    }
    assert_eq!(code(b"<note><svg/></note>"), "text/plain");
}
