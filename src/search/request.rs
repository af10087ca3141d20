//! What a caller asks, and its checks.

use std::collections::BTreeSet;

use bytes::Bytes;
use sensorium_domain::{CollectionName, DocumentId, Filter, Modality, SegmentId, SpaceName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config;
use crate::error::{ApiError, FieldError};
use crate::http::upload::UploadedFile;
use crate::ingest::decode_base64;

/// A search. In a form this is the field `query`, and files are named from `inputs`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"inputs": [{"text": "a red bicycle"}], "targets": ["image", "audio", "text"], "page_size": 10}))]
pub struct SearchRequest {
    /// Only this collection.
    pub collection: Option<CollectionName>,
    /// Any of these collections. Without `collection` and `collections`: all of the tenant's.
    pub collections: Vec<CollectionName>,
    /// What is asked, in any modalities.
    pub inputs: Vec<InputRequest>,
    /// Modalities that may answer; all when empty.
    pub targets: Vec<Modality>,
    /// Only these spaces (`lexical` for words); all of the profile when empty.
    pub spaces: Vec<SpaceName>,
    /// Conditions on documents and segments.
    pub filter: Filter,
    /// How lists are joined.
    pub fusion: Fusion,
    /// Hits are documents with their best segments, or single segments.
    pub group_by: GroupBy,
    /// The most segments shown of a document.
    pub segments_per_group: usize,
    /// Leave out hits of lower confidence, from 0 to 1.
    pub min_confidence: Option<f32>,
    /// Hits on a page.
    pub page_size: usize,
    /// The `next_page_token` of the page before.
    pub page_token: Option<String>,
    /// Tell how each hit came.
    pub explain: bool,
    /// Hits that each leg fetches; more is slower and reaches further down. `truncated` says when it was not enough.
    pub depth: Option<usize>,
    /// Leave out the segments and documents that were given as inputs.
    pub exclude_inputs: bool,
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self {
            collection: None,
            collections: Vec::new(),
            inputs: Vec::new(),
            targets: Vec::new(),
            spaces: Vec::new(),
            filter: Filter::default(),
            fusion: Fusion::default(),
            group_by: GroupBy::default(),
            segments_per_group: 3,
            min_confidence: None,
            page_size: 10,
            page_token: None,
            explain: false,
            depth: None,
            exclude_inputs: true,
        }
    }
}

/// One input. Exactly one of `text`, `image`, `audio`, `segment` and `document` is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InputRequest {
    /// Words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<MediaRequest>,
    /// A sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<MediaRequest>,
    /// A stored segment: more like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<SegmentId>,
    /// A stored document: more like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentId>,
    /// How much it counts, from -10 to 10 and not 0; negative: less like this. 1 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f32>,
}

/// A file in a request. Exactly one of `base64` and `file` is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MediaRequest {
    /// The file's bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// The form's field that holds the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// How ranked lists become one.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fusion {
    /// Whether inputs are joined after (`late`), before (`early`), or both (`hybrid`).
    pub mode: FusionMode,
    /// How lists are joined.
    pub method: FusionMethod,
    /// The constant of reciprocal rank fusion: larger flattens the top.
    pub k: u32,
}

impl Default for Fusion {
    fn default() -> Self {
        Self { mode: FusionMode::default(), method: FusionMethod::default(), k: 60 }
    }
}

/// When inputs are joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FusionMode {
    /// A ranked list for each input and space, joined afterwards.
    #[default]
    Late,
    /// The inputs of a space become one vector before the search.
    Early,
    /// Both, joined.
    Hybrid,
}

/// How ranked lists are joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FusionMethod {
    /// Weighted reciprocal rank fusion: weight / (k + rank).
    #[default]
    Rrf,
    /// Distribution-based: scores scaled by mean and three standard deviations of their list.
    Dbsf,
    /// Scores scaled to 0..1 by the least and the greatest of their list.
    Weighted,
}

/// What a hit is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// A document, with its best segments.
    #[default]
    Document,
    /// A segment.
    None,
}

/// A checked input.
#[derive(Debug, Clone)]
pub enum Asked {
    /// Words.
    Text(String),
    /// A picture's or sound's file; the modality is what the caller said it is.
    Media(Modality, Bytes),
    /// A stored segment.
    Segment(SegmentId),
    /// A stored document.
    Document(DocumentId),
}

/// A checked input with its weight.
#[derive(Debug, Clone)]
pub struct Input {
    /// What is asked.
    pub asked: Asked,
    /// How much it counts.
    pub weight: f32,
}

impl SearchRequest {
    /// Checks every field and takes the files of a form in.
    pub fn resolve(&self, files: &[UploadedFile], limits: &config::Search) -> Result<Vec<Input>, ApiError> {
        let mut faults = self.faults(limits);
        let mut inputs = Vec::new();
        for (index, input) in self.inputs.iter().enumerate() {
            match input.resolve(files, limits) {
                Ok(asked) => inputs.push(Input { asked, weight: input.weight.unwrap_or(1.0) }),
                Err((field, detail)) => faults.push(fault(format!("/inputs/{index}{field}"), detail)),
            }
        }
        let named: BTreeSet<&str> = self.inputs.iter().filter_map(InputRequest::file).collect();
        for file in files.iter().filter(|file| !named.contains(file.field.as_str())) {
            faults.push(fault(
                "/inputs".to_owned(),
                format!("the form has a file \"{}\" that no input names", file.field),
            ));
        }
        ApiError::from_faults(faults).map_or(Ok(inputs), Err)
    }

    fn faults(&self, limits: &config::Search) -> Vec<FieldError> {
        let mut faults = Vec::new();
        let mut require = |holds: bool, pointer: &str, detail: String| {
            if !holds {
                faults.push(fault(pointer.to_owned(), detail));
            }
        };
        require(
            !self.inputs.is_empty(),
            "/inputs",
            "give at least one input: text, image, audio, segment or document".to_owned(),
        );
        let (count, most) = (self.inputs.len(), limits.max_inputs);
        require(count <= most, "/inputs", format!("{count} inputs; the limit is {most} (search.max_inputs)"));
        for (index, input) in self.inputs.iter().enumerate() {
            let weight = input.weight.unwrap_or(1.0);
            let good = weight.is_finite() && weight != 0.0 && weight.abs() <= 10.0;
            require(good, &format!("/inputs/{index}/weight"), format!("{weight} is not from -10 to 10 and not 0"));
        }
        let positive = self.inputs.is_empty() || self.inputs.iter().any(|input| input.weight.unwrap_or(1.0) > 0.0);
        require(positive, "/inputs", "at least one input needs a positive weight".to_owned());
        let (size, most) = (self.page_size, limits.max_page_size);
        require(
            (1..=most).contains(&size),
            "/page_size",
            format!("{size} is not from 1 to {most} (search.max_page_size)"),
        );
        let per_group = self.segments_per_group;
        require((1..=20).contains(&per_group), "/segments_per_group", format!("{per_group} is not from 1 to 20"));
        if let Some(depth) = self.depth {
            let most = limits.max_depth;
            require(
                (1..=most).contains(&depth),
                "/depth",
                format!("{depth} is not from 1 to {most} (search.max_depth)"),
            );
        }
        if let Some(least) = self.min_confidence {
            require((0.0..=1.0).contains(&least), "/min_confidence", format!("{least} is not from 0 to 1"));
        }
        let k = self.fusion.k;
        require((1..=10_000).contains(&k), "/fusion/k", format!("{k} is not from 1 to 10000"));
        let both = self.collection.is_some() && !self.collections.is_empty();
        require(!both, "/collections", "give collection or collections, not both".to_owned());
        require(self.collections.len() <= 100, "/collections", "more than 100 collections".to_owned());
        faults.extend(
            self.filter.check().into_iter().map(|error| fault(format!("/filter{}", error.pointer), error.detail)),
        );
        faults
    }
}

impl InputRequest {
    fn file(&self) -> Option<&str> {
        self.image.as_ref().or(self.audio.as_ref()).and_then(|media| media.file.as_deref())
    }

    fn resolve(&self, files: &[UploadedFile], limits: &config::Search) -> Result<Asked, (&'static str, String)> {
        match (&self.text, &self.image, &self.audio, self.segment, self.document) {
            (Some(text), None, None, None, None) => {
                let chars = text.chars().count();
                if text.trim().is_empty() {
                    return Err(("/text", "must not be empty".to_owned()));
                }
                if chars > limits.max_input_chars {
                    return Err((
                        "/text",
                        format!("{chars} characters; the limit is {} (search.max_input_chars)", limits.max_input_chars),
                    ));
                }
                Ok(Asked::Text(text.clone()))
            }
            (None, Some(media), None, None, None) => media
                .bytes(files)
                .map(|bytes| Asked::Media(Modality::Image, bytes))
                .map_err(|detail| ("/image", detail)),
            (None, None, Some(media), None, None) => media
                .bytes(files)
                .map(|bytes| Asked::Media(Modality::Audio, bytes))
                .map_err(|detail| ("/audio", detail)),
            (None, None, None, Some(segment), None) => Ok(Asked::Segment(segment)),
            (None, None, None, None, Some(document)) => Ok(Asked::Document(document)),
            _ => Err(("", "give exactly one of text, image, audio, segment and document".to_owned())),
        }
    }
}

impl MediaRequest {
    /// The file's bytes.
    pub fn bytes(&self, files: &[UploadedFile]) -> Result<Bytes, String> {
        match (&self.base64, &self.file) {
            (Some(text), None) => decode_base64(text),
            (None, Some(field)) => files
                .iter()
                .find(|file| file.field == *field)
                .map(|file| file.bytes.clone())
                .ok_or_else(|| format!("the form has no file field \"{field}\"")),
            _ => Err("give exactly one of base64 and file".to_owned()),
        }
    }
}

fn fault(pointer: String, detail: String) -> FieldError {
    FieldError { pointer, detail }
}
