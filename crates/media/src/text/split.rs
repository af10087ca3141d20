//! Blocks into pieces that fit a budget: sentences, else words, else characters as people see them.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// A piece longer than this many bytes per token of the budget is cut further, whatever the counter says of it: some
/// tokenizers count a word of any length as one unknown token.
const MOST_BYTES_PER_TOKEN: usize = 64;

/// A stretch of the plain text with its cost.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// Bytes of the plain text, white space after the words included.
    pub(super) plain: Range<usize>,
    /// Tokens of it.
    pub(super) tokens: usize,
}

/// Cuts text into pieces and counts them.
pub(super) struct Splitter<'a> {
    plain: &'a str,
    count_tokens: &'a dyn Fn(&str) -> usize,
    /// What the counter says of nothing: special tokens that it adds to every text.
    fixed_tokens: usize,
    budget: usize,
}

impl<'a> Splitter<'a> {
    pub(super) fn new(plain: &'a str, count_tokens: &'a dyn Fn(&str) -> usize, max_tokens: usize) -> Self {
        let fixed_tokens = count_tokens("");
        let budget = max_tokens.saturating_sub(fixed_tokens).max(1);
        Self { plain, count_tokens, fixed_tokens, budget }
    }

    /// Tokens that the words of a chunk may have.
    pub(super) fn budget(&self) -> usize {
        self.budget
    }

    /// Tokens of a stretch, without the special ones.
    pub(super) fn count(&self, plain: &Range<usize>) -> usize {
        (self.count_tokens)(&self.plain[plain.clone()]).saturating_sub(self.fixed_tokens)
    }

    /// Whether a stretch is too large for a chunk of its own.
    pub(super) fn exceeds(&self, plain: &Range<usize>, tokens: usize) -> bool {
        tokens > self.budget || plain.len() > self.budget.saturating_mul(MOST_BYTES_PER_TOKEN)
    }

    /// The pieces of a block, which together are the whole of it. Each fits the budget, unless it is a single character
    /// that does not.
    pub(super) fn pieces(&self, block: &Range<usize>) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for sentence in self.sentences(block) {
            self.split_sentence(sentence, &mut pieces);
        }
        pieces
    }

    /// Sentence boundaries of Unicode (UAX 29), which know CJK punctuation. A line end inside a block is a space: text is
    /// often wrapped by hand.
    fn sentences(&self, block: &Range<usize>) -> Vec<Range<usize>> {
        let unwrapped: String =
            self.plain[block.clone()].chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }).collect();
        ranges(block.start, unwrapped.split_sentence_bounds())
    }

    fn split_sentence(&self, sentence: Range<usize>, pieces: &mut Vec<Piece>) {
        let tokens = self.count(&sentence);
        if !self.exceeds(&sentence, tokens) {
            pieces.push(Piece { plain: sentence, tokens });
            return;
        }
        let words = ranges(sentence.start, self.plain[sentence].split_word_bounds());
        self.gather(words, pieces, &|word, pieces| {
            let graphemes = ranges(word.start, self.plain[word].graphemes(true));
            self.gather(graphemes, pieces, &|grapheme, pieces| {
                let chars = ranges(grapheme.start, self.plain[grapheme].split_inclusive(|_| true));
                self.gather(chars, pieces, &|char, pieces| {
                    let tokens = self.count(&char);
                    pieces.push(Piece { plain: char, tokens });
                });
            });
        });
    }

    /// Joins neighbours as long as the sum of their tokens fits the budget; `split` takes what does not fit by itself.
    fn gather(&self, parts: Vec<Range<usize>>, pieces: &mut Vec<Piece>, split: &dyn Fn(Range<usize>, &mut Vec<Piece>)) {
        let mut open: Option<Piece> = None;
        for part in parts {
            let tokens = self.count(&part);
            if self.exceeds(&part, tokens) {
                pieces.extend(open.take());
                split(part, pieces);
                continue;
            }
            match &mut open {
                Some(piece) if !self.exceeds(&(piece.plain.start..part.end), piece.tokens + tokens) => {
                    piece.plain.end = part.end;
                    piece.tokens += tokens;
                }
                open => pieces.extend(open.replace(Piece { plain: part, tokens })),
            }
        }
        pieces.extend(open);
    }
}

/// The ranges of consecutive parts, the first of which begins at `start`.
fn ranges<'t>(start: usize, parts: impl Iterator<Item = &'t str>) -> Vec<Range<usize>> {
    let mut at = start;
    parts
        .map(|part| {
            let range = at..at + part.len();
            at = range.end;
            range
        })
        .collect()
}
