//! Pieces into groups that fit a chunk.

use std::ops::Range;

use super::outline::Outline;
use super::split::{Piece, Splitter};

/// A piece with its place in the source and in the structure.
pub(super) struct PlacedPiece {
    /// Its words.
    pub(super) piece: Piece,
    /// Where it begins in the source; it ends where the next one begins.
    pub(super) source_start: usize,
    /// For the first piece of a block, the tokens of the whole block.
    pub(super) block_tokens: Option<usize>,
    /// The block that it is part of.
    pub(super) block: usize,
    /// Whether it is part of a heading.
    pub(super) is_heading: bool,
}

/// The pieces of all blocks, in order; together they are the whole of the source.
pub(super) fn place_pieces(outline: &Outline, splitter: &Splitter<'_>) -> Vec<PlacedPiece> {
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
pub(super) fn pack(pieces: &[PlacedPiece], splitter: &Splitter<'_>, overlap_tokens: usize) -> Vec<Range<usize>> {
    let budget = splitter.budget();
    let mut groups = Vec::new();
    let mut start = 0;
    let mut tokens = 0;
    let mut has_words = false; // beside headings
    for (index, placed) in pieces.iter().enumerate() {
        let extent = pieces[start].piece.plain.start..placed.piece.plain.end;
        let full = splitter.exceeds(&extent, tokens + placed.piece.tokens);
        let new_section = placed.is_heading && placed.block_tokens.is_some() && has_words;
        let paragraph_fits_better_next =
            tokens >= budget / 2 && placed.block_tokens.is_some_and(|whole| tokens + whole > budget);
        if index > start && (full || new_section || paragraph_fits_better_next) {
            groups.push(start..index);
            let room = if new_section { 0 } else { overlap_tokens.min(budget.saturating_sub(placed.piece.tokens)) };
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
