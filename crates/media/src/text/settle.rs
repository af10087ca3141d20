//! Groups of pieces into chunks that the counter agrees to.

use std::ops::Range;

use super::outline::Outline;
use super::pack::PlacedPiece;

/// A chunk before its positions are counted in characters.
pub(super) struct Draft {
    /// Its words, as bytes of the plain text.
    pub(super) plain: Range<usize>,
    /// Its bytes of the source.
    pub(super) source: Range<usize>,
    /// Its last piece.
    pub(super) last: usize,
}

/// Holds each group against the counter once more: tokens of parts need not add up to the tokens of the whole.
pub(super) struct Cut<'a> {
    pub(super) outline: &'a Outline,
    pub(super) pieces: &'a [PlacedPiece],
    pub(super) count_tokens: &'a dyn Fn(&str) -> usize,
    pub(super) max_tokens: usize,
}

impl Cut<'_> {
    /// Adds the chunks of one group, whose source ends at `source_end`.
    pub(super) fn settle(&self, group: Range<usize>, source_end: usize, drafts: &mut Vec<Draft>) {
        let last = group.end - 1;
        let plain = self.pieces[group.start].piece.plain.start..self.pieces[last].piece.plain.end;
        let source = self.pieces[group.start].source_start..source_end;
        if group.len() == 1 {
            self.settle_piece(Draft { plain, source, last }, drafts);
        } else if self.fits(&plain) {
            drafts.push(Draft { plain, source, last });
        } else {
            let middle = group.start + group.len() / 2;
            self.settle(group.start..middle, self.pieces[middle].source_start, drafts);
            self.settle(middle..group.end, source_end, drafts);
        }
    }

    fn settle_piece(&self, draft: Draft, drafts: &mut Vec<Draft>) {
        let Draft { plain, source, last } = draft;
        let words = &self.outline.plain[plain.clone()];
        let middle = plain.start + words.floor_char_boundary(words.len().div_ceil(2));
        if middle == plain.start || self.fits(&plain) {
            drafts.push(Draft { plain, source, last });
            return;
        }
        let source_middle = self.outline.source_of(middle).clamp(source.start, source.end);
        self.settle_piece(Draft { plain: plain.start..middle, source: source.start..source_middle, last }, drafts);
        self.settle_piece(Draft { plain: middle..plain.end, source: source_middle..source.end, last }, drafts);
    }

    fn fits(&self, plain: &Range<usize>) -> bool {
        (self.count_tokens)(self.outline.plain[plain.clone()].trim()) <= self.max_tokens
    }
}
