//! POST /v1/classify: which of your labels fits.

use axum::Json;
use axum::extract::{Request, State};
use sensorium_domain::{Modality, SpaceName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::embed::{Content, Label, classify as classify_content, space};
use crate::error::ApiError;
use crate::http::access::Read;
use crate::http::problem::Problems;
use crate::http::upload::read_upload;
use crate::startup::App;

/// What to classify and into what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"input": {"text": "it barks at the postman"}, "labels": ["cat", "dog"]}))]
pub struct ClassifyRequest {
    /// A text, a picture or a sound.
    pub input: Content,
    /// The labels or prompts; at least two.
    pub labels: Vec<String>,
    /// How a label becomes a prompt; `{}` is the label.
    #[serde(default = "bare")]
    #[schema(example = "a picture of a {}")]
    pub template: String,
    /// The space; the profile's first when left out.
    #[schema(value_type = Option<String>)]
    pub space: Option<SpaceName>,
}

fn bare() -> String {
    "{}".to_owned()
}

/// The labels, best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Classified {
    /// Every label with its share.
    pub labels: Vec<Label>,
}

/// Zero-shot classification: the share of each label, by softmax over the cosines. Takes JSON, or a form with the field
/// `request` and a file.
#[utoipa::path(post, path = "/v1/classify", operation_id = "classify", tag = "models",
    request_body = ClassifyRequest, responses((status = 200, body = Classified), Problems))]
pub async fn classify(State(app): State<App>, _caller: Read, request: Request) -> Result<Json<Classified>, ApiError> {
    let upload = read_upload::<ClassifyRequest>(request, &app, "request").await?;
    let asked = upload.json.ok_or_else(|| ApiError::invalid("/request", "the form has no field \"request\""))?;
    check(&app, &asked)?;
    let input = asked.input.decode(&app, &upload.files, "/input").await?;
    let space = space(&app, asked.space.as_ref(), &[input.modality(), Modality::Text])?;
    let labels = classify_content(&app, space, input, &asked.labels, &asked.template).await?;
    Ok(Json(Classified { labels }))
}

fn check(app: &App, asked: &ClassifyRequest) -> Result<(), ApiError> {
    let (count, most) = (asked.labels.len(), app.config.search.max_labels);
    if !(2..=most).contains(&count) {
        return Err(ApiError::invalid("/labels", format!("{count} labels; must be 2 to {most} (search.max_labels)")));
    }
    for (index, label) in asked.labels.iter().enumerate() {
        let chars = label.chars().count();
        if label.trim().is_empty() || chars > 1000 {
            return Err(ApiError::invalid(
                format!("/labels/{index}"),
                format!("{chars} characters; must be 1 to 1000"),
            ));
        }
    }
    if !asked.template.contains("{}") || asked.template.len() > 1000 {
        return Err(ApiError::invalid("/template", "must contain {} and have at most 1000 bytes"));
    }
    Ok(())
}
