//! A search's answer for people.

use serde::Deserialize;

use super::highlight::Snippet;
use super::output::{Look, clean, line, shorten};
use super::place::{self, Place};
use super::problem::CliError;
use super::table;

/// A page of hits.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// Best first.
    pub hits: Vec<Hit>,
    next_page_token: Option<String>,
    truncated: bool,
    warnings: Vec<String>,
}

/// A document or a segment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Hit {
    score: f64,
    confidence: Option<f64>,
    document: Document,
    segment: Segment,
    segments: Option<Vec<Segment>>,
    explain: Option<Explain>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    id: String,
    title: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Segment {
    id: String,
    modality: String,
    place: Place,
    snippet: Option<Snippet>,
    part: Part,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    id: String,
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Explain {
    legs: Vec<Leg>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Leg {
    input: Option<usize>,
    space: String,
    rank: usize,
    score: f64,
    weight: f64,
    contribution: f64,
}

/// Characters of a title that the table shows.
const TITLE: usize = 48;

/// Prints hits on stdout, warnings on stderr.
pub fn print(answer: &Answer, look: Look) -> Result<(), CliError> {
    for warning in &answer.warnings {
        eprintln!("warning: {}", clean(warning));
    }
    if answer.hits.is_empty() {
        return line("no hit");
    }
    render(answer, look).iter().try_for_each(|text| line(text))
}

fn render(answer: &Answer, look: Look) -> Vec<String> {
    let rows = answer.hits.iter().enumerate().map(|(index, hit)| hit.row(index + 1)).collect();
    let table = table::lines(&["#", "score", "conf", "kind", "title", "place"], &[0, 1, 2], rows);
    let mut rows = table.into_iter();
    let mut lines: Vec<String> = rows.next().into_iter().collect();
    for (row, hit) in rows.zip(&answer.hits) {
        lines.push(row);
        lines.extend(hit.below(look).into_iter().map(|text| format!("    {text}")));
    }
    if let Some(token) = &answer.next_page_token {
        lines.push(String::new());
        lines.push(format!("more: repeat with --page-token {}", clean(token)));
    } else if answer.truncated {
        lines.push(String::new());
        lines.push("more may lie deeper: the lists were cut at their depth".to_owned());
    }
    lines
}

impl Hit {
    fn row(&self, rank: usize) -> Vec<String> {
        let confidence = self.confidence.map_or_else(|| "-".to_owned(), |confidence| format!("{confidence:.2}"));
        let name = self.document.title.as_deref().or(self.segment.part.name.as_deref()).unwrap_or("-");
        let (modality, place) = (self.segment.modality.clone(), self.segment.place.text());
        vec![rank.to_string(), format!("{:.4}", self.score), confidence, modality, shorten(name, TITLE), place]
    }

    /// What stands under the row.
    fn below(&self, look: Look) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(snippet) = self.segment.snippet.as_ref().filter(|snippet| !snippet.text.trim().is_empty()) {
            lines.extend(wrap(&snippet.render(look.bold), look.width.map(|width| width.saturating_sub(4))));
        }
        let others = self.segments.iter().flatten().filter(|segment| segment.id != self.segment.id);
        let others: Vec<String> =
            others.map(|segment| format!("{} {}", segment.modality, segment.place.text())).collect();
        if !others.is_empty() {
            lines.push(clean(&place::more(&others)));
        }
        lines.extend(self.explain.iter().flat_map(|explain| &explain.legs).map(Leg::text));
        lines.push(clean(&format!("{} {} {}", self.document.id, self.segment.id, self.segment.part.id)));
        lines
    }
}

impl Leg {
    fn text(&self) -> String {
        let input = self.input.map_or_else(|| "joined inputs".to_owned(), |input| format!("input {input}"));
        let Self { rank, score, weight, contribution, .. } = self;
        clean(&format!(
            "{input} in {}: rank {rank}, score {score:.4}, weight {weight:.2}, contributes {contribution:.4}",
            self.space
        ))
    }
}

/// Breaks at spaces. Codes for bold take no room, and bold that spans a break is kept by the terminal.
fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else {
        return vec![text.to_owned()];
    };
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = visible(word);
        match lines.last_mut() {
            Some(line) if used == 0 || used + 1 + length <= width => {
                if used > 0 {
                    line.push(' ');
                    used += 1;
                }
                line.push_str(word);
                used += length;
            }
            _ => {
                lines.push(word.to_owned());
                used = length;
            }
        }
    }
    lines
}

/// Characters without codes for bold.
fn visible(word: &str) -> usize {
    let codes = word.matches("\u{1b}[1m").count() + word.matches("\u{1b}[0m").count();
    word.chars().count() - 4 * codes
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { bold: false, width: None };

    #[test]
    fn a_hit_shows_what_where_and_why() -> Result<(), serde_json::Error> {
        let answer: Answer = serde_json::from_str(
            r#"{"hits":[
                {"score":0.0311,"confidence":0.871,"document":{"id":"doc_1","title":"Morning ride"},
                 "segment":{"id":"seg_1","modality":"text","place":{"kind":"characters","start_char":0,"end_char":40},
                            "snippet":{"text":"A red bicycle","highlights":[[2,5]]},"part":{"id":"prt_1","name":"ride.md"}},
                 "segments":[{"id":"seg_1"},{"id":"seg_2","modality":"audio","place":{"kind":"time","start_ms":4000,"end_ms":9000}}],
                 "explain":{"legs":[{"input":0,"space":"shared","rank":3,"score":0.41,"weight":1.0,"contribution":0.0159}]}},
                {"score":0.02,"confidence":null,"document":{"id":"doc_2","title":null},
                 "segment":{"id":"seg_3","modality":"image","place":{"kind":"whole"},"snippet":null,"part":{"id":"prt_2","name":"a.png"}}}],
              "next_page_token":"abc","truncated":true,"warnings":[]}"#,
        )?;
        let expected = [
            "#   SCORE  CONF  KIND   TITLE         PLACE",
            "1  0.0311  0.87  text   Morning ride  chars 0-40",
            "    A red bicycle",
            "    also 1 place: audio 00:04-00:09",
            "    input 0 in shared: rank 3, score 0.4100, weight 1.00, contributes 0.0159",
            "    doc_1 seg_1 prt_1",
            "2  0.0200     -  image  a.png         whole",
            "    doc_2 seg_3 prt_2",
            "",
            "more: repeat with --page-token abc",
        ];
        assert_eq!(render(&answer, PLAIN), expected);
        Ok(())
    }

    #[test]
    fn lines_break_at_spaces_and_codes_take_no_room() {
        assert_eq!(wrap("\u{1b}[1mone\u{1b}[0m two three", Some(7)), ["\u{1b}[1mone\u{1b}[0m two", "three"]);
        assert_eq!(wrap("longer-than-that a", Some(5)), ["longer-than-that", "a"]);
    }
}
