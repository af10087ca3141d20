//! The words of a text hit around what matched.

use std::collections::HashSet;

use rust_stemmers::{Algorithm, Stemmer};
use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;
use utoipa::ToSchema;

/// The most characters of a snippet.
const LENGTH: usize = 280;

/// A stretch of a text with the words of the query marked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Snippet {
    /// The words.
    #[schema(example = "A red bicycle leans on the wall.")]
    pub text: String,
    /// Character ranges of `text` that match a word of the query: start, and one past the end.
    pub highlights: Vec<(usize, usize)>,
}

/// Cuts the stretch of `text` that holds the most different words of `query`, and marks them. Words match by their English
/// stems without regard to case, so "bicycles" marks "bicycle".
pub fn snippet(text: &str, query: &str) -> Snippet {
    let stemmer = Stemmer::create(Algorithm::English);
    let stem = |word: &str| stemmer.stem(&word.to_lowercase()).into_owned();
    let wanted: HashSet<String> = query.unicode_words().filter(|word| !is_common(word)).map(stem).collect();
    let chars: Vec<char> = text.chars().collect();
    let matches = matching_words(text, |word| {
        let stemmed = stem(word);
        wanted.contains(&stemmed).then_some(stemmed)
    });
    let start = best_start(&chars, &matches);
    let end = (start + LENGTH).min(chars.len());
    let end = if end == chars.len() { end } else { last_space(&chars, start, end) };
    let highlights =
        matches.iter().filter(|m| m.start >= start && m.end <= end).map(|m| (m.start - start, m.end - start)).collect();
    Snippet { text: chars[start..end].iter().collect(), highlights }
}

struct Match {
    start: usize,
    end: usize,
    stem: String,
}

fn matching_words(text: &str, wanted: impl Fn(&str) -> Option<String>) -> Vec<Match> {
    let mut matches = Vec::new();
    let mut position = 0;
    for word in text.split_word_bounds() {
        let length = word.chars().count();
        if word.chars().any(char::is_alphanumeric)
            && let Some(stem) = wanted(word)
        {
            matches.push(Match { start: position, end: position + length, stem });
        }
        position += length;
    }
    matches
}

/// Where the stretch with the most different matches begins, a little before its first match and at a word.
fn best_start(chars: &[char], matches: &[Match]) -> usize {
    if chars.len() <= LENGTH {
        return 0;
    }
    let worth = |first: usize| {
        let until = matches[first].start + LENGTH * 4 / 5;
        matches[first..].iter().take_while(|m| m.end <= until).map(|m| m.stem.as_str()).collect::<HashSet<_>>().len()
    };
    let Some(best) = (0..matches.len()).rev().max_by_key(|first| worth(*first)) else { return 0 };
    let wished = matches[best].start.saturating_sub(LENGTH / 5);
    let latest = matches[best].start;
    (wished..latest).find(|at| *at == 0 || chars[at - 1].is_whitespace()).unwrap_or(latest)
}

fn last_space(chars: &[char], start: usize, end: usize) -> usize {
    (start + LENGTH / 2..end).rev().find(|at| chars[*at].is_whitespace()).unwrap_or(end)
}

/// Words that match everywhere and tell nothing.
fn is_common(word: &str) -> bool {
    const COMMON: [&str; 24] = [
        "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "in", "is", "it", "of", "on", "or", "that",
        "the", "this", "to", "was", "were", "with", "which",
    ];
    COMMON.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn marked(text: &str, query: &str) -> Vec<String> {
        let snippet = snippet(text, query);
        let chars: Vec<char> = snippet.text.chars().collect();
        snippet.highlights.iter().map(|(start, end)| chars[*start..*end].iter().collect()).collect()
    }

    #[test]
    fn stems_and_case_match_and_common_words_do_not() {
        assert_eq!(marked("The Bicycle was red. Bicycles are fast.", "the bicycles"), ["Bicycle", "Bicycles"]);
        assert_eq!(marked("Grüße aus Köln", "köln"), ["Köln"]);
        assert_eq!(marked("nothing here", "the of"), [""; 0]);
    }

    #[test]
    fn a_long_text_is_cut_where_the_words_are() {
        let text =
            format!("{} the violin sings in the evening {}", "filler words ".repeat(100), "more filler ".repeat(100));
        let snippet = snippet(&text, "violin evening");
        assert!(snippet.text.chars().count() <= LENGTH);
        assert_eq!(marked(&text, "violin evening"), ["violin", "evening"]);
    }

    proptest! {
        #[test]
        fn marks_lie_within_and_apart(text in "\\PC{0,600}", query in "\\PC{0,40}") {
            let snippet = snippet(&text, &query);
            let length = snippet.text.chars().count();
            prop_assert!(length <= LENGTH);
            prop_assert!(text.contains(&snippet.text));
            let mut last = 0;
            for (start, end) in snippet.highlights {
                prop_assert!(last <= start && start < end && end <= length);
                last = end;
            }
        }
    }
}
