//! A snippet with its matching words marked.

use serde::Deserialize;

use super::output::clean;

/// Words of a text around what matched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Snippet {
    /// The words.
    pub text: String,
    /// Character ranges that matched: start, and one past the end.
    pub highlights: Vec<(usize, usize)>,
}

const BOLD: &str = "\u{1b}[1m";
const PLAIN: &str = "\u{1b}[0m";

impl Snippet {
    /// On one line; the ranges in bold when `bold`. Ranges that lie outside, or in one another, do no harm.
    pub fn render(&self, bold: bool) -> String {
        let text = clean(&self.text);
        let marked =
            |position: usize| bold && self.highlights.iter().any(|(start, end)| (*start..*end).contains(&position));
        let mut line = String::with_capacity(text.len());
        let mut inside = false;
        for (position, c) in text.chars().enumerate() {
            if marked(position) != inside {
                inside = !inside;
                line.push_str(if inside { BOLD } else { PLAIN });
            }
            line.push(c);
        }
        if inside {
            line.push_str(PLAIN);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippet(highlights: &[(usize, usize)]) -> Snippet {
        Snippet { text: "Ä red\nbicycle".to_owned(), highlights: highlights.to_vec() }
    }

    #[test]
    fn ranges_count_characters() {
        assert_eq!(snippet(&[(2, 5)]).render(true), "Ä \u{1b}[1mred\u{1b}[0m bicycle");
        assert_eq!(snippet(&[(6, 13)]).render(true), "Ä red \u{1b}[1mbicycle\u{1b}[0m");
    }

    #[test]
    fn no_terminal_no_codes() {
        assert_eq!(snippet(&[(2, 5)]).render(false), "Ä red bicycle");
    }

    #[test]
    fn odd_ranges_do_no_harm() {
        assert_eq!(snippet(&[(9, 2), (50, 60)]).render(true), "Ä red bicycle");
        assert_eq!(snippet(&[(2, 4), (3, 5)]).render(true), "Ä \u{1b}[1mred\u{1b}[0m bicycle");
    }

    #[test]
    fn codes_in_the_text_are_taken_out() {
        let snippet = Snippet { text: "a\u{1b}[2Jb".to_owned(), highlights: vec![(0, 1)] };
        assert_eq!(snippet.render(true), "\u{1b}[1ma\u{1b}[0m [2Jb");
    }
}
