//! What a caller asks to add, and its checks.

use bytes::Bytes;
use sensorium_domain::CollectionName;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::config;
use crate::error::{ApiError, FieldError};
use crate::http::upload::UploadedFile;

/// A document to add. In a form this is the field `document`, and every other field is a file.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"title": "Morning ride", "tags": ["bike"], "metadata": {"year": 2026}, "parts": [{"text": "A red bicycle leans on the wall."}]}))]
pub struct DocumentRequest {
    /// The collection; made when it does not exist.
    pub collection: CollectionName,
    /// Your own id for the document, unique in the collection. Adding again under it replaces the document.
    pub external_id: Option<String>,
    /// For people; also searched by words.
    pub title: Option<String>,
    /// Labels to filter by.
    pub tags: Vec<String>,
    /// Anything, to filter by and to show.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// The content in order. Without it every file of the form is a part.
    pub parts: Option<Vec<PartRequest>>,
}

/// One part. Exactly one of `text`, `file` and `base64` is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PartRequest {
    /// The words themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The form's field that holds the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The file's bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// A name for people. For words that end in `.md` it says Markdown; otherwise the type is told from the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A part's bytes, its name, and where in the request it stands.
#[derive(Debug, Clone)]
pub struct PartBytes {
    /// Pointer into the request.
    pub pointer: String,
    /// The file's name.
    pub name: Option<String>,
    /// The bytes.
    pub bytes: Bytes,
}

impl DocumentRequest {
    /// Checks every field against the limits and gathers the parts' bytes. All files are the document's.
    pub fn resolve(&self, files: Vec<UploadedFile>, limits: &config::Ingest) -> Result<Vec<PartBytes>, ApiError> {
        let gathered = if self.parts.is_some() {
            let (parts, mut faults) = self.gather_listed(&files);
            faults.extend(files.iter().filter(|file| !self.names_file(&file.field)).map(unnamed_file));
            (parts, faults)
        } else {
            let parts = files.into_iter().enumerate().map(|(index, file)| PartBytes {
                pointer: format!("/parts/{index}"),
                name: file.name,
                bytes: file.bytes,
            });
            (parts.collect(), Vec::new())
        };
        self.check(gathered, limits)
    }

    /// The same where the files are those of several documents: its own are those that its parts name.
    pub fn resolve_named(&self, files: &[UploadedFile], limits: &config::Ingest) -> Result<Vec<PartBytes>, ApiError> {
        self.check(self.gather_listed(files), limits)
    }

    /// Whether a part says that its bytes are the file in this field.
    pub fn names_file(&self, field: &str) -> bool {
        self.parts.iter().flatten().any(|part| part.file.as_deref() == Some(field))
    }

    /// The bytes of the listed parts, and what is wrong with the others.
    fn gather_listed(&self, files: &[UploadedFile]) -> (Vec<PartBytes>, Vec<FieldError>) {
        let (mut parts, mut faults) = (Vec::new(), Vec::new());
        for (index, part) in self.parts.iter().flatten().enumerate() {
            let pointer = format!("/parts/{index}");
            match part.bytes(files) {
                Ok((bytes, file_name)) => {
                    parts.push(PartBytes { pointer, name: part.name.clone().or(file_name), bytes });
                }
                Err((field, detail)) => faults.push(fault(&format!("{pointer}{field}"), detail)),
            }
        }
        (parts, faults)
    }

    fn check(
        &self,
        (parts, of_parts): (Vec<PartBytes>, Vec<FieldError>),
        limits: &config::Ingest,
    ) -> Result<Vec<PartBytes>, ApiError> {
        let mut faults = self.faults(limits);
        faults.extend(of_parts);
        if parts.is_empty() && faults.is_empty() {
            faults.push(fault("/parts", "a document needs at least one part: a text or a file".to_owned()));
        }
        if parts.len() > limits.max_parts {
            faults.push(fault(
                "/parts",
                format!("{} parts; the limit is {} (ingest.max_parts)", parts.len(), limits.max_parts),
            ));
        }
        for part in &parts {
            let chars = part.name.as_ref().map_or(0, |name| name.chars().count());
            if chars > limits.max_title_chars {
                let limit = limits.max_title_chars;
                faults.push(fault(
                    &format!("{}/name", part.pointer),
                    format!("{chars} characters; the limit is {limit} (ingest.max_title_chars)"),
                ));
            }
        }
        ApiError::from_faults(faults).map_or(Ok(parts), Err)
    }

    fn faults(&self, limits: &config::Ingest) -> Vec<FieldError> {
        let mut faults = Vec::new();
        for (pointer, text) in [("/title", &self.title), ("/external_id", &self.external_id)] {
            let chars = text.as_ref().map_or(0, |text| text.chars().count());
            if chars > limits.max_title_chars {
                faults.push(fault(
                    pointer,
                    format!("{chars} characters; the limit is {} (ingest.max_title_chars)", limits.max_title_chars),
                ));
            }
        }
        if self.external_id.as_ref().is_some_and(String::is_empty) {
            faults.push(fault("/external_id", "must not be empty; leave it out instead".to_owned()));
        }
        faults.extend(tag_faults(&self.tags, limits));
        faults.extend(metadata_fault(&self.metadata, limits));
        faults
    }
}

/// Faults of a list of tags.
pub fn tag_faults(tags: &[String], limits: &config::Ingest) -> Vec<FieldError> {
    let mut faults = Vec::new();
    if tags.len() > limits.max_tags {
        faults.push(fault("/tags", format!("{} tags; the limit is {} (ingest.max_tags)", tags.len(), limits.max_tags)));
    }
    for (index, tag) in tags.iter().enumerate() {
        let chars = tag.chars().count();
        if chars == 0 || chars > limits.max_tag_chars {
            faults.push(fault(
                &format!("/tags/{index}"),
                format!("{chars} characters; must be 1 to {} (ingest.max_tag_chars)", limits.max_tag_chars),
            ));
        }
    }
    faults
}

/// The fault of too large metadata.
pub fn metadata_fault(metadata: &Map<String, Value>, limits: &config::Ingest) -> Option<FieldError> {
    let bytes = serde_json::to_string(metadata).map_or(0, |text| text.len());
    (bytes > limits.max_metadata_bytes).then(|| {
        fault(
            "/metadata",
            format!("{bytes} bytes of JSON; the limit is {} (ingest.max_metadata_bytes)", limits.max_metadata_bytes),
        )
    })
}

/// The fault of a file that no part names.
pub fn unnamed_file(file: &UploadedFile) -> FieldError {
    let field = &file.field;
    let detail =
        format!("the form has a file \"{field}\" that no part names; add {{\"file\":\"{field}\"}} or leave parts out");
    fault("/parts", detail)
}

impl PartRequest {
    fn bytes(&self, files: &[UploadedFile]) -> Result<(Bytes, Option<String>), (&'static str, String)> {
        match (&self.text, &self.file, &self.base64) {
            (Some(text), None, None) => Ok((Bytes::from(text.clone()), None)),
            (None, Some(field), None) => files
                .iter()
                .find(|file| file.field == *field)
                .map(|file| (file.bytes.clone(), file.name.clone()))
                .ok_or_else(|| ("/file", format!("the form has no file field \"{field}\""))),
            (None, None, Some(text)) => {
                decode_base64(text).map(|bytes| (bytes, None)).map_err(|detail| ("/base64", detail))
            }
            _ => Err(("", "give exactly one of text, file and base64".to_owned())),
        }
    }
}

/// Standard or URL-safe base64, with or without padding; a `data:` URL's head is skipped.
pub fn decode_base64(text: &str) -> Result<Bytes, String> {
    use base64::Engine;
    use base64::alphabet::{STANDARD, URL_SAFE};
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let body = text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")).map_or(text, |(_, body)| body);
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if body.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    GeneralPurpose::new(&alphabet, lenient)
        .decode(body.trim())
        .map(Bytes::from)
        .map_err(|error| format!("not base64: {error}"))
}

fn fault(pointer: &str, detail: String) -> FieldError {
    FieldError { pointer: pointer.to_owned(), detail }
}
