//! The search, step by step.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use sensorium_domain::catalog::SegmentView;
use sensorium_domain::{SegmentId, TenantId};

use crate::error::ApiError;
use crate::http::upload::UploadedFile;
use crate::search::answer::{Answer, DocumentHit, Explain, Hit, LegShare, SegmentHit, Timing};
use crate::search::confidence::fill_confidence;
use crate::search::fuse::Fused;
use crate::search::group::Group;
use crate::search::highlight::snippet;
use crate::search::legs::LEXICAL;
use crate::search::page::{Token, fingerprint, first_after};
use crate::search::rank::{Ranking, elapsed_ms, rank};
use crate::search::request::{GroupBy, SearchRequest};
use crate::startup::App;

/// Below this the best hit is said to be no good match.
const GOOD_CONFIDENCE: f32 = 0.5;

/// Answers a search.
pub async fn search(
    app: &App,
    tenant: &TenantId,
    request: SearchRequest,
    files: &[UploadedFile],
) -> Result<Answer, ApiError> {
    let inputs = request.resolve(files, &app.config.search)?;
    check_spaces(app, &request)?;
    let _turn = app.searches.turn().await?;
    let bytes: Vec<&[u8]> = files.iter().map(|file| file.bytes.as_ref()).collect();
    let fingerprint = fingerprint(&request, tenant.as_str(), &bytes);
    let token = match &request.page_token {
        Some(text) => Some(Token::read(text, &fingerprint, app.generation)?),
        None => None,
    };
    let mut timing = Timing::default();
    let kept = token.as_ref().and_then(|token| {
        let ranking = app.rankings.get(token.ranking, &fingerprint, app.clock.now())?;
        Some((token.ranking, ranking))
    });
    let is_new = kept.is_none();
    let (id, ranking) = match kept {
        Some(kept) => kept,
        None => (app.randomness() as u64, Arc::new(rank(app, tenant, &request, &inputs, &mut timing).await?)),
    };

    let started = Instant::now();
    let begin = first_after(&ranking.groups, token.as_ref().map(|token| &token.cursor));
    let page = Page { app, tenant, request: &request, ranking: &ranking };
    let (hits, end) = page.fill(begin).await?;
    timing.catalog_ms = elapsed_ms(started);
    for (stage, ms) in timing.stages() {
        app.metrics.searched(stage, ms);
    }

    let mut warnings = ranking.warnings.clone();
    if token.is_none() {
        warn_of_no_match(&hits, &mut warnings);
    }
    let next_page_token = match ranking.groups.get(end - usize::from(end > 0)) {
        Some(last) if end < ranking.groups.len() => Token::write(last, id, &fingerprint, app.generation),
        _ => None,
    };
    if is_new && next_page_token.is_some() {
        app.rankings.keep(id, &fingerprint, ranking.clone(), app.clock.now());
    }
    Ok(Answer { hits, next_page_token, truncated: ranking.truncated, warnings, timing })
}

fn check_spaces(app: &App, request: &SearchRequest) -> Result<(), ApiError> {
    let names: Vec<&str> =
        app.profile.encoder.spaces().iter().map(|space| space.name.as_str()).chain([LEXICAL]).collect();
    for (index, space) in request.spaces.iter().enumerate() {
        if !names.contains(&space.as_str()) {
            let detail =
                format!("the profile {} has no space \"{space}\"; it has {}", app.profile.name, names.join(", "));
            return Err(ApiError::invalid(format!("/spaces/{index}"), detail));
        }
    }
    Ok(())
}

fn warn_of_no_match(hits: &[Hit], warnings: &mut Vec<String>) {
    // A hit of unknown confidence may be a good one.
    let known: Option<Vec<f32>> = hits.iter().map(|hit| hit.confidence).collect();
    let best = known.and_then(|known| known.into_iter().reduce(f32::max));
    match best {
        _ if hits.is_empty() => warnings.push("no match".to_owned()),
        Some(best) if best < GOOD_CONFIDENCE => {
            warnings.push(format!("no good match: the best confidence is {best:.2}"));
        }
        _ => {}
    }
}

/// A page being filled.
struct Page<'a> {
    app: &'a App,
    tenant: &'a TenantId,
    request: &'a SearchRequest,
    ranking: &'a Ranking,
}

impl Page<'_> {
    /// Joins the groups from `begin` on with their rows until the page is full. Groups whose rows have gone meanwhile are
    /// skipped. Returns the hits and the position after the last group that was looked at.
    async fn fill(&self, begin: usize) -> Result<(Vec<Hit>, usize), ApiError> {
        let groups = &self.ranking.groups;
        let mut hits = Vec::new();
        let mut next = begin;
        while hits.len() < self.request.page_size {
            let wanted = self.request.page_size - hits.len();
            let batch = &groups[next..(next + wanted).min(groups.len())];
            if batch.is_empty() {
                break;
            }
            let per_group =
                if self.request.group_by == GroupBy::Document { self.request.segments_per_group } else { 1 };
            let mut members: Vec<Fused> =
                batch.iter().flat_map(|group| group.members.iter().take(per_group)).cloned().collect();
            fill_confidence(self.app, self.tenant, &self.ranking.plan, &mut members).await?;
            let ids: Vec<SegmentId> = members.iter().map(|hit| hit.segment).collect();
            let views = self.app.catalog.segment_views(self.tenant, &ids).await?;
            let views: HashMap<SegmentId, SegmentView> =
                views.into_iter().map(|view| (view.segment.id, view)).collect();
            let members: HashMap<SegmentId, Fused> = members.into_iter().map(|hit| (hit.segment, hit)).collect();
            for group in batch {
                hits.extend(self.hit(group, per_group, &members, &views));
            }
            next += batch.len();
        }
        Ok((hits, next))
    }

    fn hit(
        &self,
        group: &Group,
        per_group: usize,
        members: &HashMap<SegmentId, Fused>,
        views: &HashMap<SegmentId, SegmentView>,
    ) -> Option<Hit> {
        let found: Vec<(&Fused, &SegmentView)> = group
            .members
            .iter()
            .take(per_group)
            .filter_map(|hit| Some((members.get(&hit.segment)?, views.get(&hit.segment)?)))
            .collect();
        let (best, view) = found.first()?;
        let segments: Vec<SegmentHit> = found.iter().map(|(hit, view)| self.segment(hit, view)).collect();
        Some(Hit {
            score: best.score,
            confidence: best.confidence,
            document: DocumentHit::of(view),
            segment: segments.first()?.clone(),
            explain: self.request.explain.then(|| self.explain(best)),
            segments: (self.request.group_by == GroupBy::Document).then_some(segments),
        })
    }

    fn segment(&self, hit: &Fused, view: &SegmentView) -> SegmentHit {
        let snippet = view.segment.text.as_deref().map(|text| snippet(text, &self.ranking.words));
        SegmentHit::of(view, hit.score, hit.confidence, snippet)
    }

    fn explain(&self, hit: &Fused) -> Explain {
        let legs = hit.shares.iter().map(|share| {
            let leg = &self.ranking.plan[share.leg];
            LegShare {
                input: leg.input,
                space: leg.space.clone(),
                rank: share.rank,
                score: share.score,
                confidence: share.confidence,
                weight: f64::from(leg.weight),
                contribution: share.contribution,
            }
        });
        Explain { legs: legs.collect() }
    }
}
