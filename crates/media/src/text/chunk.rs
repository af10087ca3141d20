//! Text into chunks that fit a model.

use std::ops::Range;

use super::outline::Outline;
use super::pack::{PlacedPiece, pack, place_pieces};
use super::positions::CharPositions;
use super::settle::{Cut, Draft};
use super::split::Splitter;

/// A run of sentences that fits a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The first character of it in the source, counted in Unicode scalar values.
    pub start_char: u32,
    /// One past its last character in the source.
    pub end_char: u32,
    /// Its words: the source between the two positions, for Markdown without the markup.
    pub text: String,
    /// The heading that it stands under; always `None` for plain text.
    pub heading: Option<String>,
}

/// Cuts a text into chunks of at most `max_tokens`, in the order of the text.
///
/// Cuts are made at headings first, then between paragraphs, then between sentences, then between words, and inside a word
/// only where it is longer than a whole chunk. Where a cut falls between sentences of one section, the next chunk repeats
/// sentences of the one before, as many as have `overlap_tokens` together (fewer than half of `max_tokens`).
///
/// The ranges of the chunks cover every character of `text` that is not white space. `count_tokens` is called on every
/// sentence and on every chunk; special tokens that it adds to each are allowed for. Only a single character of more than
/// `max_tokens` makes a chunk that exceeds it.
pub fn chunk(
    text: &str,
    markdown: bool,
    count_tokens: &dyn Fn(&str) -> usize,
    max_tokens: usize,
    overlap_tokens: usize,
) -> Vec<Chunk> {
    let mut outline = if markdown { Outline::of_markdown(text) } else { Outline::of_plain_text(text) };
    if outline.blocks.is_empty() {
        // Markup alone, or nothing.
        outline = Outline::of_plain_text(text);
    }
    let splitter = Splitter::new(&outline.plain, count_tokens, max_tokens);
    let pieces = place_pieces(&outline, &splitter);
    let overlap_tokens = overlap_tokens.min(splitter.budget() / 2);
    let mut drafts = Vec::new();
    for group in pack(&pieces, &splitter, overlap_tokens) {
        let end = pieces.get(group.end).map_or(text.len(), |next| next.source_start);
        let cut = Cut { outline: &outline, pieces: &pieces, count_tokens, max_tokens };
        cut.settle(group, end, &mut drafts);
    }
    // A group that was cut once more may reach beyond the beginning of the next, which repeats some of it.
    drafts.sort_by_key(|draft| draft.source.start);
    finish(text, &outline, &pieces, &drafts)
}

fn finish(text: &str, outline: &Outline, pieces: &[PlacedPiece], drafts: &[Draft]) -> Vec<Chunk> {
    let sources: Vec<Range<usize>> = drafts.iter().map(|draft| trimmed(text, &draft.source)).collect();
    let positions = CharPositions::new(text, sources.iter().flat_map(|source| [source.start, source.end]).collect());
    let headings = headings(outline);
    drafts
        .iter()
        .zip(&sources)
        .filter(|(_, source)| !source.is_empty())
        .map(|(draft, source)| Chunk {
            start_char: positions.char_at(source.start),
            end_char: positions.char_at(source.end),
            text: outline.plain[draft.plain.clone()].trim().to_owned(),
            heading: headings[pieces[draft.last].block]
                .map(|heading| outline.plain[outline.blocks[heading].plain.clone()].trim().to_owned()),
        })
        .collect()
}

/// For every block, the block of the heading that it stands under; a heading stands under itself.
fn headings(outline: &Outline) -> Vec<Option<usize>> {
    let mut current = None;
    let under = |(index, is_heading)| {
        if is_heading {
            current = Some(index);
        }
        current
    };
    outline.blocks.iter().map(|block| block.is_heading).enumerate().map(under).collect()
}

/// The range without white space at its ends, on character boundaries.
fn trimmed(text: &str, range: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(range.start);
    let end = text.floor_char_boundary(range.end).max(start);
    let slice = &text[start..end];
    let start = start + (slice.len() - slice.trim_start().len());
    start..(start + slice.trim().len())
}
