//! Text into chunks that fit a model.

use std::ops::Range;

use super::outline::Outline;
use super::positions::CharPositions;
use super::split::{Piece, Splitter};

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
    let mut outline = if markdown {
        Outline::of_markdown(text)
    } else {
        Outline::of_plain_text(text)
    };
    if outline.blocks.is_empty() {
        // Markup alone, or nothing.
        outline = Outline::of_plain_text(text);
    }
    let splitter = Splitter::new(&outline.plain, count_tokens, max_tokens);
    let pieces = place_pieces(&outline, &splitter);
    let overlap_tokens = overlap_tokens.min(splitter.budget() / 2);
    let mut drafts = Vec::new();
    for group in pack(&pieces, &splitter, overlap_tokens) {
        let end = pieces
            .get(group.end)
            .map_or(text.len(), |next| next.source_start);
        let cut = Cut {
            outline: &outline,
            pieces: &pieces,
            count_tokens,
            max_tokens,
        };
        cut.settle(group, end, &mut drafts);
    }
    // A group that was cut once more may reach beyond the beginning of the next, which repeats some of it.
    drafts.sort_by_key(|draft| draft.source.start);
    finish(text, &outline, &pieces, &drafts)
}

/// A piece with its place in the source and in the structure.
struct PlacedPiece {
    piece: Piece,
    /// Where it begins in the source; it ends where the next one begins.
    source_start: usize,
    /// For the first piece of a block, the tokens of the whole block.
    block_tokens: Option<usize>,
    /// The block that it is part of.
    block: usize,
    is_heading: bool,
}

fn place_pieces(outline: &Outline, splitter: &Splitter<'_>) -> Vec<PlacedPiece> {
    let mut placed: Vec<PlacedPiece> = Vec::new();
    let mut source_start = 0;
    for (block_index, block) in outline.blocks.iter().enumerate() {
        let pieces = splitter.pieces(&block.plain);
        let mut block_tokens = Some(pieces.iter().map(|piece| piece.tokens).sum());
        for piece in pieces {
            let begins = match block_tokens {
                _ if placed.is_empty() => 0,
                Some(_) => block.source_start,
                None => outline.source_of(piece.plain.start),
            };
            source_start = begins.max(source_start);
            placed.push(PlacedPiece {
                piece,
                source_start,
                block_tokens: block_tokens.take(),
                block: block_index,
                is_heading: block.is_heading,
            });
        }
    }
    placed
}

/// Groups consecutive pieces, by index; groups overlap where a cut falls inside a section.
fn pack(
    pieces: &[PlacedPiece],
    splitter: &Splitter<'_>,
    overlap_tokens: usize,
) -> Vec<Range<usize>> {
    let budget = splitter.budget();
    let mut groups = Vec::new();
    let mut start = 0;
    let mut tokens = 0;
    let mut has_words = false; // beside headings
    for (index, placed) in pieces.iter().enumerate() {
        let extent = pieces[start].piece.plain.start..placed.piece.plain.end;
        let full = splitter.exceeds(&extent, tokens + placed.piece.tokens);
        let new_section = placed.is_heading && placed.block_tokens.is_some() && has_words;
        let paragraph_fits_better_next = tokens >= budget / 2
            && placed
                .block_tokens
                .is_some_and(|whole| tokens + whole > budget);
        if index > start && (full || new_section || paragraph_fits_better_next) {
            groups.push(start..index);
            let room = if new_section {
                0
            } else {
                overlap_tokens.min(budget.saturating_sub(placed.piece.tokens))
            };
            (start, tokens) = overlap(pieces, start + 1..index, room);
            has_words = start < index;
        }
        tokens += placed.piece.tokens;
        has_words |= !placed.is_heading;
    }
    if start < pieces.len() {
        groups.push(start..pieces.len());
    }
    groups
}

/// The last pieces of `group` that have at most `room` tokens together: the first of them, and their tokens.
fn overlap(pieces: &[PlacedPiece], group: Range<usize>, room: usize) -> (usize, usize) {
    let mut tokens = 0;
    for index in group.clone().rev() {
        let with_this = tokens + pieces[index].piece.tokens;
        if with_this > room || pieces[index].is_heading {
            return (index + 1, tokens);
        }
        tokens = with_this;
    }
    (group.start, tokens)
}

/// A chunk before its positions are counted in characters.
struct Draft {
    plain: Range<usize>,
    source: Range<usize>,
    /// Its last piece.
    last: usize,
}

/// Holds each group against the counter once more: tokens of parts need not add up to the tokens of the whole.
struct Cut<'a> {
    outline: &'a Outline,
    pieces: &'a [PlacedPiece],
    count_tokens: &'a dyn Fn(&str) -> usize,
    max_tokens: usize,
}

impl Cut<'_> {
    fn settle(&self, group: Range<usize>, source_end: usize, drafts: &mut Vec<Draft>) {
        let last = group.end - 1;
        let plain = self.pieces[group.start].piece.plain.start..self.pieces[last].piece.plain.end;
        let source = self.pieces[group.start].source_start..source_end;
        if group.len() == 1 {
            self.settle_piece(
                Draft {
                    plain,
                    source,
                    last,
                },
                drafts,
            );
        } else if self.fits(&plain) {
            drafts.push(Draft {
                plain,
                source,
                last,
            });
        } else {
            let middle = group.start + group.len() / 2;
            self.settle(
                group.start..middle,
                self.pieces[middle].source_start,
                drafts,
            );
            self.settle(middle..group.end, source_end, drafts);
        }
    }

    fn settle_piece(&self, draft: Draft, drafts: &mut Vec<Draft>) {
        let Draft {
            plain,
            source,
            last,
        } = draft;
        let words = &self.outline.plain[plain.clone()];
        let middle = plain.start + words.floor_char_boundary(words.len().div_ceil(2));
        if middle == plain.start || self.fits(&plain) {
            drafts.push(Draft {
                plain,
                source,
                last,
            });
            return;
        }
        let source_middle = self
            .outline
            .source_of(middle)
            .clamp(source.start, source.end);
        self.settle_piece(
            Draft {
                plain: plain.start..middle,
                source: source.start..source_middle,
                last,
            },
            drafts,
        );
        self.settle_piece(
            Draft {
                plain: middle..plain.end,
                source: source_middle..source.end,
                last,
            },
            drafts,
        );
    }

    fn fits(&self, plain: &Range<usize>) -> bool {
        (self.count_tokens)(self.outline.plain[plain.clone()].trim()) <= self.max_tokens
    }
}

fn finish(text: &str, outline: &Outline, pieces: &[PlacedPiece], drafts: &[Draft]) -> Vec<Chunk> {
    let sources: Vec<Range<usize>> = drafts
        .iter()
        .map(|draft| trimmed(text, &draft.source))
        .collect();
    let positions = CharPositions::new(
        text,
        sources
            .iter()
            .flat_map(|source| [source.start, source.end])
            .collect(),
    );
    let headings = headings(outline);
    drafts
        .iter()
        .zip(&sources)
        .filter(|(_, source)| !source.is_empty())
        .map(|(draft, source)| Chunk {
            start_char: positions.char_at(source.start),
            end_char: positions.char_at(source.end),
            text: outline.plain[draft.plain.clone()].trim().to_owned(),
            heading: headings[pieces[draft.last].block].map(|heading| {
                outline.plain[outline.blocks[heading].plain.clone()]
                    .trim()
                    .to_owned()
            }),
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
    outline
        .blocks
        .iter()
        .map(|block| block.is_heading)
        .enumerate()
        .map(under)
        .collect()
}

/// The range without white space at its ends, on character boundaries.
fn trimmed(text: &str, range: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(range.start);
    let end = text.floor_char_boundary(range.end).max(start);
    let slice = &text[start..end];
    let start = start + (slice.len() - slice.trim_start().len());
    start..(start + slice.trim().len())
}
