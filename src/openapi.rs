//! The OpenAPI document, from the handlers.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::http::{health, metrics, problem, v1};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sensorium",
        description = "Documents of text, pictures and sounds go in; any modality finds any other.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        v1::documents::create::create, v1::documents::list::list, v1::documents::get::get, v1::documents::patch::patch,
        v1::documents::delete::delete, v1::documents::segments::segments, v1::documents::batch::batch,
        v1::parts::get::get, v1::parts::content::content, v1::parts::thumbnail::thumbnail, v1::parts::peaks::peaks,
        v1::search::search, v1::embeddings::embeddings, v1::classify::classify, v1::captions::captions,
        v1::audio::transcriptions::transcriptions, v1::audio::translations::translations,
        v1::jobs::list::list, v1::jobs::get::get, v1::jobs::events::events, v1::jobs::cancel::cancel,
        v1::jobs::retry::retry,
        v1::collections::list::list, v1::collections::create::create, v1::collections::get::get,
        v1::collections::patch::patch, v1::collections::delete::delete,
        v1::keys::create::create, v1::keys::list::list, v1::keys::revoke::revoke, v1::audit::audit, v1::usage::usage,
        v1::generations::generations, v1::reindex::reindex,
        v1::models::models, health::livez, health::readyz, metrics::metrics,
    ),
    components(schemas(problem::Problem)),
    tags(
        (name = "documents", description = "What is added"),
        (name = "parts", description = "The contents of documents"),
        (name = "search", description = "Any modality asks, any answers"),
        (name = "models", description = "Vectors, classes, captions, transcripts"),
        (name = "jobs", description = "Background work"),
        (name = "collections", description = "Sets of documents"),
        (name = "keys", description = "API keys, and what was done with them"),
        (name = "server", description = "The server itself"),
    ),
    security(("bearer" = [])),
    modifiers(&Bearer),
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A JWT or an API key")).build();
        openapi.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The document as indented JSON; what `sensorium openapi` prints and `openapi/openapi.json` holds.
pub fn text() -> String {
    document().to_pretty_json().unwrap_or_default() + "\n"
}
