//! From a window's tokens to segments, and where the next window starts.

use std::ops::Range;

/// Seconds between one timestamp and the next.
pub(super) const STEP_SECONDS: f64 = 0.02;
/// Frames between one timestamp and the next.
const STEP_FRAMES: usize = 2;

/// Part of a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    /// From the start of the window.
    pub start_seconds: f64,
    /// From the start of the window.
    pub end_seconds: f64,
    /// Which of the window's tokens.
    pub tokens: Range<usize>,
}

/// Cuts a window's `tokens` where two timestamps stand side by side, and says by how many frames to go on. `first` is the token of time zero,
/// `frames` and `seconds` what the window holds.
///
/// Where the last timestamp stands alone before the end there is no speech after it and the whole window is done. Where it is one of a pair, what
/// follows is cut by the window's end, and the next window starts there. Without pairs the window is one segment up to its last timestamp.
pub(super) fn pieces(tokens: &[u32], first: u32, frames: usize, seconds: f64) -> (Vec<Piece>, usize) {
    let is_time = |token: u32| token >= first;
    let steps = |token: u32| token.saturating_sub(first) as usize;
    let at = |token: u32| steps(token) as f64 * STEP_SECONDS;
    let mut cuts: Vec<usize> =
        (1..tokens.len()).filter(|place| is_time(tokens[place - 1]) && is_time(tokens[*place])).collect();
    let Some(last_cut) = cuts.last().copied() else {
        let last = tokens.iter().rev().copied().find(|token| is_time(*token)).filter(|token| *token != first);
        let piece = Piece { start_seconds: 0.0, end_seconds: last.map_or(seconds, at), tokens: 0..tokens.len() };
        return (vec![piece], frames);
    };
    let ends_alone = matches!(tokens, [.., word, time] if !is_time(*word) && is_time(*time));
    if ends_alone {
        cuts.push(tokens.len());
    }
    let mut start = 0;
    let mut found = Vec::with_capacity(cuts.len());
    for cut in cuts {
        // The pair's second timestamp belongs to the piece where it is all that follows.
        let end = if cut == last_cut && !ends_alone { cut + 1 } else { cut };
        found.push(Piece { start_seconds: at(tokens[start]), end_seconds: at(tokens[cut - 1]), tokens: start..end });
        start = end;
    }
    let advance = if ends_alone { frames } else { steps(tokens[last_cut - 1]) * STEP_FRAMES };
    // A pair at time zero would stay where it is for ever.
    (found, if advance == 0 { frames } else { advance.min(frames) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times from 100 on.
    fn cut(tokens: &[u32]) -> (Vec<(f64, f64, Range<usize>)>, usize) {
        let (found, advance) = pieces(tokens, 100, 3000, 30.0);
        (found.into_iter().map(|piece| (piece.start_seconds, piece.end_seconds, piece.tokens)).collect(), advance)
    }

    #[test]
    fn pairs_cut_and_the_last_one_is_where_the_next_window_starts() {
        let (found, advance) = cut(&[100, 1, 2, 150, 150, 3, 200, 200]);
        assert_eq!(found, [(0.0, 1.0, 0..4), (1.0, 2.0, 4..8)]);
        assert_eq!(advance, 200);
        // What follows the last pair is said again in the next window.
        let (found, advance) = cut(&[100, 1, 2, 150, 150, 3]);
        assert_eq!(found, [(0.0, 1.0, 0..5)]);
        assert_eq!(advance, 100);
    }

    #[test]
    fn a_lone_timestamp_at_the_end_finishes_the_window() {
        assert_eq!(cut(&[100, 1, 150, 150, 3, 200]), (vec![(0.0, 1.0, 0..3), (1.0, 2.0, 3..6)], 3000));
        assert_eq!(cut(&[110, 1, 150]), (vec![(0.0, 1.0, 0..3)], 3000));
    }

    #[test]
    fn without_timestamps_the_window_is_one_segment() {
        assert_eq!(cut(&[1, 2]), (vec![(0.0, 30.0, 0..2)], 3000));
        assert_eq!(cut(&[]), (vec![(0.0, 30.0, 0..0)], 3000));
        assert_eq!(cut(&[100, 1]), (vec![(0.0, 30.0, 0..2)], 3000), "time zero says nothing about the end");
    }

    #[test]
    fn it_always_goes_on() {
        assert_eq!(cut(&[100, 100]).1, 3000);
        assert_eq!(pieces(&[100, 1, 4000, 4000], 100, 3000, 30.0).1, 3000);
    }
}
