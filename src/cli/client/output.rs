//! Writing to stdout: for people when it is a terminal, for programs otherwise.

use std::io::{ErrorKind, IsTerminal, Write};

use serde::Serialize;

use super::problem::CliError;

/// How text is shown.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Bold marks what matched.
    pub bold: bool,
    /// Columns of the terminal, where known; `None` does not cut.
    pub width: Option<usize>,
}

impl Look {
    /// As stdout wants it. `NO_COLOR` and `TERM=dumb` are honoured.
    pub fn of_stdout() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        let plain = !variable("NO_COLOR").is_empty() || variable("TERM") == "dumb";
        let columns = variable("COLUMNS").parse().ok().filter(|columns| *columns >= 40);
        Self { bold: terminal && !plain, width: terminal.then_some(columns.unwrap_or(100)) }
    }
}

/// Writes a line to stdout.
pub fn line(text: &str) -> Result<(), CliError> {
    writeln!(std::io::stdout().lock(), "{text}").map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => CliError::OutputClosed,
        _ => CliError::Failed(format!("cannot write: {error}")),
    })
}

/// Writes a value as JSON on one line, for programs that read line by line.
pub fn json_line(value: &impl Serialize) -> Result<(), CliError> {
    line(&serde_json::to_string(value).map_err(|error| unwritable(&error))?)
}

/// Writes a value as indented JSON.
pub fn json(value: &impl Serialize) -> Result<(), CliError> {
    line(&serde_json::to_string_pretty(value).map_err(|error| unwritable(&error))?)
}

fn unwritable(error: &serde_json::Error) -> CliError {
    CliError::Failed(format!("cannot write JSON: {error}"))
}

/// Makes a stranger's text safe for a terminal: each control character becomes a space, so that positions stay.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_bidi(c) { ' ' } else { c }).collect()
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// At most `most` characters, the last an ellipsis when something was cut.
pub fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// A count with its noun: `1 file`, `2 files`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_strangers_cannot_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}d"), "a [31mb c d");
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äö…");
    }
}
