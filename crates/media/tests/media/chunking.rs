//! Text into chunks.

use std::cell::Cell;
use std::time::Instant;

use proptest::prelude::*;
use sensorium_media::{Chunk, Limits, chunk, decode_text};

/// One token for each word, one more for each eight letters of it.
fn count_words(text: &str) -> usize {
    text.split_whitespace().map(|word| 1 + word.chars().count() / 8).sum()
}

fn plain(text: &str, max_tokens: usize, overlap_tokens: usize) -> Vec<Chunk> {
    chunk(text, false, &count_words, max_tokens, overlap_tokens)
}

fn markdown(text: &str, max_tokens: usize) -> Vec<Chunk> {
    chunk(text, true, &count_words, max_tokens, 0)
}

fn texts(chunks: &[Chunk]) -> Vec<&str> {
    chunks.iter().map(|chunk| chunk.text.as_str()).collect()
}

fn slice(text: &str, chunk: &Chunk) -> String {
    text.chars().skip(chunk.start_char as usize).take((chunk.end_char - chunk.start_char) as usize).collect()
}

/// The characters that are no white space and lie in no chunk.
fn uncovered(text: &str, chunks: &[Chunk]) -> String {
    let mut covered = vec![false; text.chars().count()];
    for chunk in chunks {
        covered[chunk.start_char as usize..chunk.end_char as usize].fill(true);
    }
    text.chars().zip(covered).filter(|(c, covered)| !covered && !c.is_whitespace()).map(|(c, _)| c).collect()
}

#[test]
fn text_is_decoded_without_its_mark() {
    let limits = Limits::default();
    assert_eq!(decode_text(b"\xef\xbb\xbfhi", &limits).as_deref(), Ok("hi"));
    assert_eq!(decode_text(b"\xfe\xff\0h\0i", &limits).as_deref(), Ok("hi"));
    assert_eq!(decode_text(b"\xff\xfeh\0i\0", &limits).as_deref(), Ok("hi"));
    assert_eq!(decode_text(b"\xff\xfe\x00\xd8", &limits).expect_err("half a pair").code(), "text_not_utf8");
    let error = decode_text(b"a\xff", &limits).expect_err("no UTF-8");
    assert!(error.to_string().contains("offset 1"), "{error}");
    assert_eq!(decode_text(b"", &limits).expect_err("nothing").code(), "file_empty");
    let small = Limits { max_text_bytes: 3, ..limits };
    assert_eq!(decode_text(b"four", &small).expect_err("too long").code(), "text_too_large");
}

#[test]
fn short_texts_are_one_chunk_and_blank_ones_none() {
    assert_eq!(texts(&plain("  A few words.\n", 50, 10)), ["A few words."]);
    assert!(plain("", 50, 10).is_empty());
    assert!(plain(" \n\t ", 50, 10).is_empty());
    assert!(markdown("\n\n", 50).is_empty());
}

#[test]
fn cuts_fall_between_paragraphs_before_sentences() {
    let text = "One two three. Four five six.\n\nSeven eight nine. Ten eleven twelve.";
    assert_eq!(texts(&plain(text, 9, 0)), ["One two three. Four five six.", "Seven eight nine. Ten eleven twelve."]);
    assert_eq!(
        texts(&plain(text, 3, 0)),
        ["One two three.", "Four five six.", "Seven eight nine.", "Ten eleven twelve."]
    );
    assert_eq!(texts(&plain(text, 2, 0))[..2], ["One two", "three."]);
}

#[test]
fn sentences_wrapped_by_hand_stay_whole() {
    let text = "This sentence runs\nover two lines. The next\none as well.";
    assert_eq!(texts(&plain(text, 7, 0)), ["This sentence runs\nover two lines.", "The next\none as well."]);
}

#[test]
fn chinese_and_japanese_are_cut_at_their_own_stops() {
    let per_char = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
    let chunks = chunk("今日は雨です。明日は晴れます。傘を忘れないで！", false, &per_char, 8, 0);
    assert_eq!(texts(&chunks), ["今日は雨です。", "明日は晴れます。", "傘を忘れないで！"]);
}

#[test]
fn whole_sentences_are_repeated() {
    let text = "One two three. Four five six. Seven eight nine. Ten eleven twelve.";
    let chunks = plain(text, 6, 3);
    assert_eq!(
        texts(&chunks),
        ["One two three. Four five six.", "Four five six. Seven eight nine.", "Seven eight nine. Ten eleven twelve."]
    );
    assert_eq!((chunks[1].start_char, chunks[1].end_char), (15, 47));
    assert_eq!(slice(text, &chunks[1]), chunks[1].text);
}

#[test]
fn markdown_sections_carry_their_heading_and_lose_their_markup() {
    let text = "---\ntitle: x\n---\nIntro with `code`.\n\n# First *one*\n\nSome **bold** text and a [link](https://example.org).\n\n\
                - item one\n- item two\n\n## Deeper\n\n| a | b |\n|---|---|\n| c | d |\n\nLast\n====\n\n```rust\nlet x = 1;\n```\n";
    let chunks = markdown(text, 100);
    let headings: Vec<_> = chunks.iter().map(|chunk| chunk.heading.as_deref()).collect();
    assert_eq!(headings, [None, Some("First one"), Some("Deeper"), Some("Last")]);
    assert_eq!(chunks[1].text, "First one\nSome bold text and a link.\nitem one\nitem two");
    assert_eq!(chunks[3].text, "Last\nlet x = 1;");
    assert!(slice(text, &chunks[1]).starts_with("# First *one*"));
    assert!(slice(text, &chunks[2]).ends_with("| c | d |"));
    assert_eq!(uncovered(text, &chunks), "");
}

#[test]
fn headings_without_words_stay_with_what_follows() {
    let chunks = markdown("# Book\n\n## Chapter\n\nWords of the chapter.\n\n## Next\n\nMore words.", 50);
    assert_eq!(texts(&chunks), ["Book\nChapter\nWords of the chapter.", "Next\nMore words."]);
    assert_eq!(chunks[0].heading.as_deref(), Some("Chapter"));
}

#[test]
fn markup_alone_is_kept_as_it_is() {
    let chunks = markdown("---\n\n***\n\n[a]: https://example.org", 50);
    assert_eq!(uncovered("---\n\n***\n\n[a]: https://example.org", &chunks), "");
}

#[test]
fn a_counter_that_adds_special_tokens_is_understood() {
    let with_special = |text: &str| count_words(text) + 2;
    let text = "One two three. Four five six. Seven eight nine.";
    assert_eq!(texts(&chunk(text, false, &with_special, 8, 0)), ["One two three. Four five six.", "Seven eight nine."]);
}

#[test]
fn a_counter_whose_parts_do_not_add_up_is_obeyed() {
    let squares = |text: &str| text.len() * text.len() / 20;
    let text = "word ".repeat(200);
    for chunk in chunk(&text, false, &squares, 60, 10) {
        assert!(squares(&chunk.text) <= 60, "{chunk:?}");
    }
}

#[test]
fn endless_words_are_cut() {
    let text = "x".repeat(100_000);
    let chunks = chunk(&text, false, &|_| 1, 100, 0);
    assert!(chunks.len() > 10, "{}", chunks.len());
    assert_eq!(uncovered(&text, &chunks), "");
    let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}".repeat(40);
    for chunk in chunk(&family, false, &|text| text.chars().count(), 12, 0) {
        assert_eq!(chunk.text.chars().count() % 5, 0, "a family stays together");
    }
}

#[test]
fn work_grows_with_the_text_and_not_faster() {
    let shapes = [
        "A sentence of some words, as they come. Another one follows it!\n\n".to_owned(),
        "word ".to_owned(),
        "x".to_owned(),
        "\u{4eca}\u{65e5}".to_owned(),
        ". ".to_owned(),
        ".,".to_owned(),
        "a.\n".to_owned(),
        "# h\n".to_owned(),
        "- ".to_owned(),
        "[".to_owned(),
        "*a _b ".to_owned(),
        "> ".to_owned(),
        "`".to_owned(),
        "<a ".to_owned(),
        "|a|b\n".to_owned(),
        "\u{301}".to_owned(),
    ];
    for shape in shapes {
        for as_markdown in [false, true] {
            let text = shape.repeat(1_000_000 / shape.len());
            let counted = Cell::new(0);
            let count = |text: &str| {
                counted.set(counted.get() + text.len());
                text.len().div_ceil(4)
            };
            let begun = Instant::now();
            let chunks = chunk(&text, as_markdown, &count, 256, 32);
            let seconds = begun.elapsed().as_secs_f32();
            println!(
                "{:?} markdown {as_markdown}: {seconds:.2} s, {} chunks, counted {}",
                &shape,
                chunks.len(),
                counted.get()
            );
            assert!(counted.get() < 12 * text.len(), "{shape:?} counts {} bytes", counted.get());
            assert!(seconds < 20.0, "{shape:?} takes {seconds} s");
        }
    }
}

fn prose() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-zA-Z]{1,12}",
        Just("\n\n".to_owned()),
        Just("\n# Heading\n".to_owned()),
        Just("**bold**".to_owned()),
        Just("\n- item".to_owned()),
        Just("`a b`".to_owned()),
        Just("[l](u \"t\")".to_owned()),
        Just("\n```\ncode\n```\n".to_owned()),
        Just("\n> quote\n".to_owned()),
        Just("\n|a|b|\n|-|-|\n|c|d|\n".to_owned()),
        Just("&amp;".to_owned()),
        Just("今日は。".to_owned()),
        Just("end. Next".to_owned()),
        Just("\r\n".to_owned()),
        Just("<!-- c --><br>".to_owned()),
        Just("[^1]".to_owned()),
        Just("\n[^1]: note\n".to_owned()),
        "\\PC{1,6}",
    ];
    proptest::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

fn check(text: &str, as_markdown: bool, max_tokens: usize, overlap: usize) -> Result<(), TestCaseError> {
    let chunks = chunk(text, as_markdown, &|text| text.chars().count().div_ceil(3), max_tokens, overlap);
    prop_assert_eq!(uncovered(text, &chunks), "");
    let mut start = 0;
    for chunk in &chunks {
        prop_assert!(chunk.text.chars().count().div_ceil(3) <= max_tokens);
        prop_assert!(chunk.start_char < chunk.end_char);
        prop_assert!(chunk.start_char >= start);
        prop_assert_eq!(chunk.text.trim(), chunk.text.as_str());
        if !as_markdown {
            prop_assert_eq!(slice(text, chunk), chunk.text.as_str());
        }
        start = chunk.start_char;
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_character_is_in_a_chunk_of_prose(text in prose(), markdown: bool, max in 1_usize..60, overlap in 0_usize..80) {
        check(&text, markdown, max, overlap)?;
    }

    #[test]
    fn every_character_is_in_a_chunk_of_anything(text in "[\\PC \n\r\t]{0,300}", markdown: bool, max in 1_usize..60, overlap in 0_usize..20) {
        check(&text, markdown, max, overlap)?;
    }
}
