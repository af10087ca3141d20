//! How well hits fit that came by words alone.

use std::collections::HashMap;

use sensorium_domain::{Modality, SegmentId, SpaceName, TenantId};

use crate::error::ApiError;
use crate::search::fuse::Fused;
use crate::search::legs::{Leg, Question};
use crate::startup::App;

/// Finds it out by their kept vectors and the dense legs' questions.
pub async fn fill_confidence(app: &App, tenant: &TenantId, plan: &[Leg], hits: &mut [Fused]) -> Result<(), ApiError> {
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
