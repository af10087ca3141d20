//! Points on their way into the index.

use std::collections::HashMap;

use sensorium_domain::SegmentId;
use sensorium_domain::index::Point;

/// Points in one operation of the index: searches get in between two of them.
pub(crate) const BATCH: usize = 500;

/// Of points with one id, the last.
pub(crate) fn last_of_each(points: Vec<Point>) -> Vec<Point> {
    let last: HashMap<SegmentId, usize> =
        points.iter().enumerate().map(|(position, point)| (point.id, position)).collect();
    let mut position = 0;
    let mut points = points;
    points.retain(|point| {
        let is_last = last.get(&point.id) == Some(&position);
        position += 1;
        is_last
    });
    points
}
