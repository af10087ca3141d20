//! Segments as subtitles.

use crate::transcribe::Segment;

/// `SubRip`: numbered, with commas in times.
pub(super) fn srt(segments: &[Segment]) -> String {
    let blocks = segments.iter().enumerate().map(|(index, segment)| {
        format!(
            "{}\n{} --> {}\n{}\n\n",
            index + 1,
            time(segment.start_ms, ','),
            time(segment.end_ms, ','),
            line(segment)
        )
    });
    blocks.collect()
}

/// `WebVTT` (W3C).
pub(super) fn vtt(segments: &[Segment]) -> String {
    let blocks = segments.iter().map(|segment| {
        // The characters with a meaning in cues.
        let text = line(segment).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        format!("{} --> {}\n{text}\n\n", time(segment.start_ms, '.'), time(segment.end_ms, '.'))
    });
    std::iter::once("WEBVTT\n\n".to_owned()).chain(blocks).collect()
}

/// A blank line would end a block.
fn line(segment: &Segment) -> String {
    segment.text.split_whitespace().collect::<Vec<_>>().join(" ").replace("-->", "->")
}

fn time(ms: u64, point: char) -> String {
    let (seconds, ms) = (ms / 1000, ms % 1000);
    format!("{:02}:{:02}:{:02}{point}{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(start_ms: u64, end_ms: u64, text: &str) -> Segment {
        Segment {
            start_ms,
            end_ms,
            text: text.to_owned(),
            tokens: Vec::new(),
            temperature: 0.0,
            avg_logprob: 0.0,
            compression_ratio: 1.0,
            no_speech_prob: 0.0,
            words: Vec::new(),
        }
    }

    #[test]
    fn times_and_texts_keep_the_form_whole() {
        let segments = [segment(0, 2_500, "a <b>\n\nc"), segment(3_661_001, 3_662_000, "d --> e & f")];
        assert_eq!(
            srt(&segments),
            "1\n00:00:00,000 --> 00:00:02,500\na <b> c\n\n2\n01:01:01,001 --> 01:01:02,000\nd -> e & f\n\n"
        );
        assert_eq!(
            vtt(&segments),
            "WEBVTT\n\n00:00:00.000 --> 00:00:02.500\na &lt;b&gt; c\n\n01:01:01.001 --> 01:01:02.000\nd -&gt; e &amp; f\n\n"
        );
    }
}
