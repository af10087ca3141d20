//! Stretches of a recording.

/// A stretch of a recording, in milliseconds from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeSpan {
    /// Start.
    pub start_ms: u64,
    /// End, not included.
    pub end_ms: u64,
}

/// Windows of `window_ms` that cover a recording of `duration_ms`, one every `hop_ms`.
///
/// The last window ends with the recording, and so overlaps its neighbour more than the others do. A recording that is no
/// longer than one window is one window; one without length has none. A hop longer than the window is taken as the window,
/// and zero lengths as 1 ms.
pub fn windows(duration_ms: u64, window_ms: u64, hop_ms: u64) -> Vec<TimeSpan> {
    if duration_ms == 0 {
        return Vec::new();
    }
    let window_ms = window_ms.max(1);
    if duration_ms <= window_ms {
        return vec![TimeSpan { start_ms: 0, end_ms: duration_ms }];
    }
    let hop_ms = hop_ms.clamp(1, window_ms);
    let last_start = duration_ms - window_ms;
    let mut spans = Vec::new();
    let mut start_ms = 0;
    while start_ms < last_start {
        spans.push(TimeSpan { start_ms, end_ms: start_ms + window_ms });
        start_ms += hop_ms;
    }
    spans.push(TimeSpan { start_ms: last_start, end_ms: duration_ms });
    spans
}
