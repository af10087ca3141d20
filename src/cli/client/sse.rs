//! Server-sent events, from the bytes as they come.

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Its kind; `message` when the server did not say.
    pub kind: String,
    /// The last id that the stream has named, for `Last-Event-ID`.
    pub id: Option<String>,
    /// Its data lines, joined.
    pub data: String,
}

/// Cuts a stream into events. Chunks may end anywhere, inside a character or between CR and LF.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    started: bool,
    event: String,
    data: Option<String>,
    last_id: Option<String>,
}

impl Parser {
    /// The events that `chunk` completes. Comments (heartbeats) give none.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in chunk {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
        }
        events
    }

    fn end_line(&mut self) -> Option<Event> {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let line = if self.started { &text } else { text.trim_start_matches('\u{feff}') };
        self.started = true;
        if line.is_empty() {
            return self.end_event();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "id" if !value.contains('\0') => self.last_id = Some(value.to_owned()),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            _ => {}
        }
        None
    }

    fn end_event(&mut self) -> Option<Event> {
        let event = std::mem::take(&mut self.event);
        let data = self.data.take()?;
        let kind = if event.is_empty() { "message".to_owned() } else { event };
        Some(Event { kind, id: self.last_id.clone(), data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "\u{feff}: hello\n\nevent: job\r\nid: 7\r\ndata: {\"a\":\r\ndata: \"ä\"}\r\n\r\n:\n\ndata:x\n\nevent: job\rid\rdata: y\r\r";

    fn event(kind: &str, id: &str, data: &str) -> Event {
        Event { kind: kind.to_owned(), id: Some(id.to_owned()), data: data.to_owned() }
    }

    #[test]
    fn chunks_may_end_anywhere() {
        let expected = [event("job", "7", "{\"a\":\n\"ä\"}"), event("message", "7", "x"), event("job", "", "y")];
        for size in 1..=STREAM.len() {
            let mut parser = Parser::default();
            let events: Vec<Event> = STREAM.as_bytes().chunks(size).flat_map(|chunk| parser.push(chunk)).collect();
            assert_eq!(events, expected, "chunks of {size}");
        }
    }

    #[test]
    fn an_event_that_is_not_complete_is_not_given() {
        let mut parser = Parser::default();
        assert!(parser.push(b"event: job\ndata: {}\n").is_empty());
        assert_eq!(parser.push(b"\n").len(), 1);
        assert!(parser.push(b"event: job\nid: 4\n\n").is_empty());
    }
}
