//! Hits become groups, in the order of their best segments.

use std::collections::HashMap;

use sensorium_domain::DocumentId;

use crate::search::fuse::Fused;
use crate::search::request::GroupBy;

/// A hit of the answer: one segment, or a document's segments, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// At least one; the first decides the group's place.
    pub members: Vec<Fused>,
}

impl Group {
    /// The best segment.
    pub fn best(&self) -> Option<&Fused> {
        self.members.first()
    }
}

/// Groups an ordered list; every member is kept, so that what a page shows can be cut later.
pub fn group(list: Vec<Fused>, by: GroupBy) -> Vec<Group> {
    if by == GroupBy::None {
        return list.into_iter().map(|hit| Group { members: vec![hit] }).collect();
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<DocumentId, usize> = HashMap::new();
    for hit in list {
        let place = *places.entry(hit.document).or_insert_with(|| {
            groups.push(Group { members: Vec::new() });
            groups.len() - 1
        });
        groups[place].members.push(hit);
    }
    groups
}
