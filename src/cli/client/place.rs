//! Where in its part a segment lies, for people.

use serde::Deserialize;

use super::output::counted;

/// The place of a segment. A kind that this program does not know is shown as its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Place {
    kind: String,
    start_char: u64,
    end_char: u64,
    heading: Option<String>,
    x_px: u64,
    y_px: u64,
    width_px: u64,
    height_px: u64,
    start_ms: u64,
    end_ms: u64,
}

impl Place {
    /// In a few characters.
    pub fn text(&self) -> String {
        match self.kind.as_str() {
            "whole" => "whole".to_owned(),
            "characters" => match &self.heading {
                Some(heading) => format!("chars {}-{} ({heading})", self.start_char, self.end_char),
                None => format!("chars {}-{}", self.start_char, self.end_char),
            },
            "region" => format!("box {},{} {}x{}", self.x_px, self.y_px, self.width_px, self.height_px),
            "time" => format!("{}-{}", clock(self.start_ms), clock(self.end_ms)),
            other => other.to_owned(),
        }
    }
}

/// `m:ss`, with hours and tenths when there are any.
pub fn clock(ms: u64) -> String {
    let (tenths, seconds) = (ms % 1000 / 100, ms / 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let whole =
        if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") };
    if tenths > 0 { format!("{whole}.{tenths}") } else { whole }
}

/// How many more places a document has.
pub fn more(places: &[String]) -> String {
    format!("also {}: {}", counted(places.len(), "place"), places.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        serde_json::from_str::<Place>(json).map(|place| place.text()).unwrap_or_default()
    }

    #[test]
    fn each_kind_has_its_form() {
        assert_eq!(text(r#"{"kind":"whole"}"#), "whole");
        assert_eq!(text(r#"{"kind":"characters","start_char":5,"end_char":90}"#), "chars 5-90");
        let headed = text(r#"{"kind":"characters","start_char":5,"end_char":90,"heading":"Oil"}"#);
        assert_eq!(headed, "chars 5-90 (Oil)");
        assert_eq!(text(r#"{"kind":"region","x_px":1,"y_px":2,"width_px":30,"height_px":40}"#), "box 1,2 30x40");
        assert_eq!(text(r#"{"kind":"time","start_ms":4000,"end_ms":9500}"#), "00:04-00:09.5");
        assert_eq!(text(r#"{"kind":"page","page":3}"#), "page");
    }

    #[test]
    fn long_recordings_have_hours() {
        assert_eq!(clock(3_723_000), "1:02:03");
    }
}
