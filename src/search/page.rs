//! Page tokens: opaque, bound to the query and the generation. A page begins strictly after the place that the token holds,
//! so pages never overlap, whatever was added in between.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sensorium_domain::{ContentKey, SegmentId};
use serde::{Deserialize, Serialize};

use crate::error::{ApiError, Code};
use crate::search::fuse::order;
use crate::search::group::Group;
use crate::search::request::SearchRequest;

/// A place in the order of hits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// Score of the last group, as bits, so that nothing is lost in writing.
    score_bits: u64,
    /// Best segment of the last group.
    segment: SegmentId,
}

/// Where the next page begins, and in which ranking.
#[derive(Debug, Serialize, Deserialize)]
pub struct Token {
    query: String,
    generation: u32,
    /// The ranking that it was written for, which may still be kept.
    pub ranking: u64,
    /// After this place.
    pub cursor: Cursor,
}

/// Identifies what is asked: everything but the page, and the uploaded files by their hashes.
pub fn fingerprint(request: &SearchRequest, tenant: &str, files: &[&[u8]]) -> String {
    let asked = SearchRequest { page_token: None, page_size: 1, explain: false, ..request.clone() };
    let json = serde_json::to_vec(&asked).unwrap_or_default();
    let mut pieces = vec![tenant.as_bytes(), json.as_slice()];
    pieces.extend_from_slice(files);
    ContentKey::of(&pieces).to_string()[..32].to_owned()
}

impl Token {
    /// Reads a token. One of another query or generation is 410; one that is no token is 422.
    pub fn read(text: &str, fingerprint: &str, generation: u32) -> Result<Self, ApiError> {
        let token: Option<Self> =
            URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let token = token.ok_or_else(|| ApiError::invalid("/page_token", "this is not a page token"))?;
        if token.query != fingerprint {
            return Err(ApiError::new(
                Code::CursorExpired,
                "the page token belongs to another query; only page_size and explain may change between pages",
            ));
        }
        if token.generation != generation {
            return Err(ApiError::new(
                Code::CursorExpired,
                "the index has been built anew since; begin at the first page",
            ));
        }
        Ok(token)
    }

    /// Writes the token of the place after `last`.
    pub fn write(last: &Group, ranking: u64, fingerprint: &str, generation: u32) -> Option<String> {
        let best = last.best()?;
        let cursor = Cursor { score_bits: best.score.to_bits(), segment: best.segment };
        let token = Self { query: fingerprint.to_owned(), generation, ranking, cursor };
        serde_json::to_vec(&token).ok().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// The position of the first group that comes after the cursor.
pub fn first_after(groups: &[Group], cursor: Option<&Cursor>) -> usize {
    let Some(cursor) = cursor else { return 0 };
    let last = (f64::from_bits(cursor.score_bits), cursor.segment);
    groups.partition_point(|group| group.best().is_none_or(|best| !order(last, (best.score, best.segment)).is_lt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::fuse::Fused;
    use crate::search::group::group;
    use crate::search::request::GroupBy;
    use proptest::prelude::*;
    use sensorium_domain::{DocumentId, Modality, PartId, Timestamp};

    proptest! {
        #[test]
        fn paging_to_the_end_yields_every_group_once_in_order(
            scores in proptest::collection::vec(0u8..6, 0..60),
            size in 1usize..9,
            by_document: bool,
        ) {
            let part = PartId::new(Timestamp::from_millis(5), 5);
            let mut list: Vec<Fused> = scores.iter().enumerate().map(|(n, score)| Fused {
                segment: SegmentId::derive(part, "chunk", n as u32),
                document: DocumentId::new(Timestamp::from_millis(1), (n % 7) as u128),
                modality: Modality::Text,
                score: f64::from(*score) / 3.0,
                confidence: None,
                shares: Vec::new(),
            }).collect();
            list.sort_by(|a, b| order((a.score, a.segment), (b.score, b.segment)));
            let all = group(list, if by_document { GroupBy::Document } else { GroupBy::None });
            let mut token: Option<String> = None;
            let mut seen = Vec::new();
            loop {
                let cursor = token.as_deref().map(|text| Token::read(text, "q", 3).unwrap().cursor);
                let page: Vec<_> = all[first_after(&all, cursor.as_ref())..].iter().take(size).cloned().collect();
                let Some(last) = page.last() else { break };
                token = Token::write(last, 1, "q", 3);
                seen.extend(page);
                prop_assert!(seen.len() <= all.len());
            }
            prop_assert_eq!(seen, all);
        }
    }

    #[test]
    fn tokens_are_bound_to_query_and_generation() {
        let part = PartId::new(Timestamp::from_millis(5), 5);
        let hit = Fused {
            segment: SegmentId::derive(part, "chunk", 0),
            document: DocumentId::new(Timestamp::from_millis(1), 1),
            modality: Modality::Text,
            score: 0.5,
            confidence: None,
            shares: Vec::new(),
        };
        let token = Token::write(&Group { members: vec![hit] }, 9, "q", 1).unwrap();
        assert_eq!(Token::read(&token, "q", 1).unwrap().ranking, 9);
        assert_eq!(Token::read(&token, "other", 1).unwrap_err().code, Code::CursorExpired);
        assert_eq!(Token::read(&token, "q", 2).unwrap_err().code, Code::CursorExpired);
        assert_eq!(Token::read("???", "q", 1).unwrap_err().code, Code::Invalid);
    }
}
