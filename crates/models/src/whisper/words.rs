//! Tokens grouped to words.

use std::ops::Range;

use super::languages::has_spaces;

/// Marks that belong to the word after them.
const OPENING: &str = "\"'“¡¿([{-";
/// Marks that belong to the word before them.
const CLOSING: &str = "\"'.。,，!！?？:：”)]}、";
/// Marks that start a word of their own before they are given to a neighbour.
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// A word and its tokens.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grouped {
    pub text: String,
    pub tokens: Range<usize>,
}

/// Groups text `tokens` of a `language` (a code). `spell` gives the text of tokens, with U+FFFD for what is not whole.
pub(super) fn group(tokens: &[u32], language: &str, spell: impl Fn(&[u32]) -> String) -> Vec<Grouped> {
    let mut words = by_letters(tokens, spell);
    if has_spaces(language) {
        words = by_spaces(words);
    }
    words = join_opening(words);
    join_closing(words)
}

/// The smallest groups of tokens that spell whole letters.
fn by_letters(tokens: &[u32], spell: impl Fn(&[u32]) -> String) -> Vec<Grouped> {
    let whole: Vec<char> = spell(tokens).chars().collect();
    let mut found = Vec::new();
    let (mut start, mut letters) = (0, 0);
    for end in 1..=tokens.len() {
        let text = spell(&tokens[start..end]);
        let broken = text.chars().position(|letter| letter == char::REPLACEMENT_CHARACTER);
        // A replacement character that the whole text has there too is not one that a later token completes.
        let complete = broken
            .is_none_or(|place| whole.get(letters + place).is_none_or(|letter| *letter == char::REPLACEMENT_CHARACTER));
        if complete {
            letters += text.chars().count();
            found.push(Grouped { text, tokens: start..end });
            start = end;
        }
    }
    found
}

/// Joins what does not begin with a space or is no mark to what is before it.
fn by_spaces(parts: Vec<Grouped>) -> Vec<Grouped> {
    let mut words: Vec<Grouped> = Vec::new();
    for part in parts {
        let alone = part.text.starts_with(' ') || PUNCTUATION.contains(trimmed(&part.text));
        match words.last_mut() {
            Some(word) if !alone => join(word, &part),
            _ => words.push(part),
        }
    }
    words
}

/// Gives opening marks to the word after them.
fn join_opening(words: Vec<Grouped>) -> Vec<Grouped> {
    let mut joined: Vec<Grouped> = Vec::with_capacity(words.len());
    for mut word in words.into_iter().rev() {
        let opens = word.text.starts_with(' ') && OPENING.contains(trimmed(&word.text));
        match joined.last_mut() {
            Some(next) if opens => {
                join(&mut word, next);
                *next = word;
            }
            _ => joined.push(word),
        }
    }
    joined.reverse();
    joined
}

/// Gives closing marks to the word before them.
fn join_closing(words: Vec<Grouped>) -> Vec<Grouped> {
    let mut joined: Vec<Grouped> = Vec::with_capacity(words.len());
    for word in words {
        match joined.last_mut() {
            Some(before) if !before.text.ends_with(' ') && CLOSING.contains(&word.text) => join(before, &word),
            _ => joined.push(word),
        }
    }
    joined
}

/// Without space around it. The separators of ASCII (U+001C to U+001F) count as space here.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|letter: char| letter.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&letter))
}

fn join(word: &mut Grouped, next: &Grouped) {
    word.text.push_str(&next.text);
    word.tokens.end = next.tokens.end;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouped(pieces: &[&[u8]], language: &str) -> Vec<(String, Range<usize>)> {
        let tokens: Vec<u32> = (0..pieces.len() as u32).collect();
        let spell = |tokens: &[u32]| {
            let bytes: Vec<u8> = tokens.iter().flat_map(|token| pieces[*token as usize]).copied().collect();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        group(&tokens, language, spell).into_iter().map(|word| (word.text, word.tokens)).collect()
    }

    #[test]
    fn words_have_their_marks() {
        let found = grouped(&[b" I", b" do", b"n't", b" \"", b"know", b"\"", b",", b" ok", b"."], "en");
        let expected = [(" I", 0..1), (" don't", 1..3), (" \"know\",", 3..7), (" ok.", 7..9)];
        assert_eq!(found, expected.map(|(text, tokens)| (text.to_owned(), tokens)));
    }

    #[test]
    fn letters_in_several_tokens_stay_together() {
        let found = grouped(&[&[0xE6, 0x97], &[0xA5], "本".as_bytes(), "。".as_bytes()], "ja");
        assert_eq!(found, [("日".to_owned(), 0..2), ("本。".to_owned(), 2..4)]);
    }

    #[test]
    fn bytes_that_are_no_text_do_not_swallow_the_rest() {
        let found = grouped(&[b" a", &[0xFF], b" b"], "en");
        assert_eq!(found, [(" a\u{FFFD}".to_owned(), 0..2), (" b".to_owned(), 2..3)]);
        assert!(grouped(&[], "en").is_empty());
    }
}
