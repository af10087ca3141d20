//! The search, step by step.

use std::collections::HashMap;
use std::time::Instant;

use futures::future::try_join_all;
use sensorium_domain::catalog::SegmentView;
use sensorium_domain::filter::{Condition, Match};
use sensorium_domain::index::Scope;
use sensorium_domain::{Modality, SegmentId, SpaceName, TenantId};
use serde_json::Value;

use crate::error::ApiError;
use crate::http::upload::UploadedFile;
use crate::search::answer::{Answer, DocumentHit, Explain, Hit, LegShare, SegmentHit, Timing};
use crate::search::encode::{EncodedInput, encode_input};
use crate::search::fuse::{Fused, fuse};
use crate::search::group::{Group, group};
use crate::search::highlight::snippet;
use crate::search::legs::{self, LEXICAL, Leg, Question};
use crate::search::page::{fingerprint, is_after, read_token, write_token};
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
    let bytes: Vec<&[u8]> = files.iter().map(|file| file.bytes.as_ref()).collect();
    let fingerprint = fingerprint(&request, tenant.as_str(), &bytes);
    let generation = app.generation;
    let cursor = match &request.page_token {
        Some(token) => Some(read_token(token, &fingerprint, generation)?),
        None => None,
    };
    let mut timing = Timing::default();
    let mut warnings = Vec::new();
    let targets = targets(app, &request, &mut warnings);

    let started = Instant::now();
    let encoding = inputs.iter().enumerate().map(|(index, input)| encode_input(app, tenant, index, input));
    let encoded = try_join_all(encoding).await?;
    timing.encode_ms = elapsed_ms(started);
    warn_of_scope(app, &encoded, &mut warnings);

    let started = Instant::now();
    let plan = legs::plan(app, &encoded, request.fusion.mode, &targets, &request.spaces);
    let depth = request.depth.unwrap_or(app.config.search.depth);
    let scope = scope(&request, &encoded);
    let (ranked, truncated) = legs::run(app, tenant, &scope, &plan, &targets, depth).await?;
    timing.index_ms = elapsed_ms(started);

    let started = Instant::now();
    let mut fused = fuse(&ranked, &request.fusion);
    fused.retain(|hit| encoded.iter().all(|input| input.segment != Some(hit.segment) || !request.exclude_inputs));
    if let Some(least) = request.min_confidence {
        fill_confidence(app, tenant, &plan, &mut fused).await?;
        fused.retain(|hit| hit.confidence.is_some_and(|confidence| confidence >= least));
    }
    let groups: Vec<Group> =
        group(fused, request.group_by).into_iter().filter(|group| is_after(group, cursor.as_ref())).collect();
    timing.fuse_ms = elapsed_ms(started);

    let started = Instant::now();
    let words = encoded.iter().filter(|input| input.weight > 0.0).filter_map(|input| input.words.as_deref());
    let words = words.collect::<Vec<_>>().join(" ");
    let page = Page { app, tenant, request: &request, plan: &plan, words };
    let (hits, last) = page.fill(&groups).await?;
    timing.catalog_ms = elapsed_ms(started);

    if request.page_token.is_none() {
        warn_of_no_match(&hits, &mut warnings);
    }
    let more = last.is_some_and(|last| last + 1 < groups.len());
    let next_page_token =
        if more { last.and_then(|last| write_token(&groups[last], &fingerprint, generation)) } else { None };
    Ok(Answer { hits, next_page_token, truncated, warnings, timing })
}

fn elapsed_ms(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1000.0
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

/// The target modalities that the profile can answer in; the others are named in a warning.
fn targets(app: &App, request: &SearchRequest, warnings: &mut Vec<String>) -> Vec<Modality> {
    if request.targets.is_empty() {
        return Modality::ALL.to_vec();
    }
    let mut targets = request.targets.clone();
    targets.sort_unstable();
    targets.dedup();
    for target in &targets {
        if !app.profile.encoder.spaces().iter().any(|space| space.tower(*target).is_some()) {
            warnings.push(format!("the profile {} has no {target}: none can answer", app.profile.name));
        }
    }
    targets
}

fn warn_of_scope(app: &App, encoded: &[EncodedInput], warnings: &mut Vec<String>) {
    for input in encoded.iter().filter(|input| input.in_scope < 0.5) {
        warnings.push(format!("input {}: low confidence: {}", input.input, app.profile.scope_note()));
    }
}

fn warn_of_no_match(hits: &[Hit], warnings: &mut Vec<String>) {
    let best = hits
        .iter()
        .filter_map(|hit| hit.confidence)
        .fold(None, |best: Option<f32>, next| Some(best.map_or(next, |best| best.max(next))));
    match best {
        _ if hits.is_empty() => warnings.push("no match".to_owned()),
        Some(best) if best < GOOD_CONFIDENCE => {
            warnings.push(format!("no good match: the best confidence is {best:.2}"));
        }
        _ => {}
    }
}

/// The request's collections and filter; documents that were given as inputs are left out.
fn scope(request: &SearchRequest, encoded: &[EncodedInput]) -> Scope {
    let mut filter = request.filter.clone();
    if request.exclude_inputs {
        let given =
            encoded.iter().filter_map(|input| input.document).map(|id| Value::from(id.to_string())).collect::<Vec<_>>();
        if !given.is_empty() {
            filter.must_not.push(Condition {
                key: "document".to_owned(),
                matches: Some(Match { value: None, any: Some(given) }),
                range: None,
                exists: None,
            });
        }
    }
    let collections = request.collection.iter().chain(&request.collections).cloned().collect();
    Scope { collections, filter }
}

/// Finds out how well hits fit that came by words alone: by their kept vectors and the dense legs' questions.
async fn fill_confidence(app: &App, tenant: &TenantId, plan: &[Leg], hits: &mut [Fused]) -> Result<(), ApiError> {
    let mut places: HashMap<SegmentId, usize> = HashMap::new();
    for (place, hit) in hits.iter().enumerate().filter(|(_, hit)| hit.confidence.is_none()) {
        places.insert(hit.segment, place);
    }
    if places.is_empty() {
        return Ok(());
    }
    let ids: Vec<SegmentId> = places.keys().copied().collect();
    for space in app.profile.encoder.spaces() {
        let asking: Vec<&Leg> =
            plan.iter().filter(|leg| leg.weight > 0.0 && leg.space == space.name.as_str()).collect();
        if asking.is_empty() {
            continue;
        }
        for (id, vector) in app.index.vectors(tenant, &space.name, &ids).await? {
            let Some(hit) = places.get(&id).and_then(|place| hits.get_mut(*place)) else { continue };
            for leg in &asking {
                let Some(cosine) = cosine(leg, &space.name, hit.modality, &vector) else { continue };
                let confidence = leg.confidence(app, hit.modality, cosine);
                hit.confidence = confidence.into_iter().chain(hit.confidence).reduce(f32::max);
            }
        }
    }
    Ok(())
}

fn cosine(leg: &Leg, space: &SpaceName, target: Modality, vector: &[f32]) -> Option<f32> {
    let Question::Dense { space: own, by_target, .. } = &leg.question else { return None };
    let (_, query) = by_target.iter().find(|(modality, _)| own == space && *modality == target)?;
    let dot: f32 = query.iter().zip(vector).map(|(a, b)| a * b).sum();
    let lengths = norm(query) * norm(vector);
    (lengths > 0.0).then(|| dot / lengths)
}

fn norm(vector: &[f32]) -> f32 {
    vector.iter().map(|value| value * value).sum::<f32>().sqrt()
}

/// A page being filled.
struct Page<'a> {
    app: &'a App,
    tenant: &'a TenantId,
    request: &'a SearchRequest,
    plan: &'a [Leg],
    words: String,
}

impl Page<'_> {
    /// Joins groups with their rows until the page is full. Groups whose rows have gone meanwhile are skipped. Returns the
    /// hits and the position of the last group that was looked at.
    async fn fill(&self, groups: &[Group]) -> Result<(Vec<Hit>, Option<usize>), ApiError> {
        let mut hits = Vec::new();
        let mut last = None;
        while hits.len() < self.request.page_size {
            let begin = last.map_or(0, |last| last + 1);
            let wanted = self.request.page_size - hits.len();
            let batch = &groups[begin..(begin + wanted).min(groups.len())];
            if batch.is_empty() {
                break;
            }
            let per_group =
                if self.request.group_by == GroupBy::Document { self.request.segments_per_group } else { 1 };
            let mut members: Vec<Fused> =
                batch.iter().flat_map(|group| group.members.iter().take(per_group)).cloned().collect();
            fill_confidence(self.app, self.tenant, self.plan, &mut members).await?;
            let ids: Vec<SegmentId> = members.iter().map(|hit| hit.segment).collect();
            let views = self.app.catalog.segment_views(self.tenant, &ids).await?;
            let views: HashMap<SegmentId, SegmentView> =
                views.into_iter().map(|view| (view.segment.id, view)).collect();
            let members: HashMap<SegmentId, Fused> = members.into_iter().map(|hit| (hit.segment, hit)).collect();
            for group in batch {
                hits.extend(self.hit(group, per_group, &members, &views));
            }
            last = Some(begin + batch.len() - 1);
        }
        Ok((hits, last))
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
        let snippet = view.segment.text.as_deref().map(|text| snippet(text, &self.words));
        SegmentHit::of(view, hit.score, hit.confidence, snippet)
    }

    fn explain(&self, hit: &Fused) -> Explain {
        let legs = hit.shares.iter().map(|share| {
            let leg = &self.plan[share.leg];
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
