//! Cuts a part into segments: text by sentences, large pictures into tiles, sound into windows. Pure and synchronous; runs
//! on the media pool.

use std::sync::Arc;

use sensorium_domain::document::PartFacts;
use sensorium_domain::encoder::{CountTokens, SoundFormat};
use sensorium_domain::{BlobHash, ContentKey, EncodeInput, Modality, Place, SegmentKind};
use sensorium_media as media;

use crate::config;
use crate::startup::App;

/// How parts are cut for a profile's towers.
#[derive(Clone)]
pub struct Cutting {
    /// The settings of ingest.
    pub settings: config::Ingest,
    /// By whose tokens texts are cut.
    pub count_tokens: Arc<CountTokens>,
    /// How sounds are brought to the towers, with the window that the settings give if they give one.
    pub sound: SoundFormat,
}

impl Cutting {
    /// Under the settings and the profile of an application.
    pub fn of(app: &App) -> Self {
        let settings = app.config.ingest.clone();
        let mut sound = app.profile.sound_format();
        if settings.window_ms > 0 {
            sound.window_ms = settings.window_ms;
        }
        Self { settings, count_tokens: app.profile.token_counter(), sound }
    }

    /// From the start of a window to the start of the next: as set, or half a window.
    fn hop_ms(&self) -> u64 {
        match self.settings.window_hop_ms {
            0 => self.sound.window_ms / 2,
            hop_ms => hop_ms.min(self.sound.window_ms),
        }
    }
}

/// A part, decoded and cut.
#[derive(Debug)]
pub struct Cut {
    /// What was learnt about the part.
    pub facts: PartFacts,
    /// The segments to be, in order.
    pub pieces: Vec<Piece>,
    content: Content,
    blob: BlobHash,
}

/// A segment to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// How it was cut.
    pub kind: SegmentKind,
    /// Its kind of content.
    pub modality: Modality,
    /// Where it lies.
    pub place: Place,
    /// Its words.
    pub text: Option<String>,
}

#[derive(Debug)]
enum Content {
    Text,
    Picture(media::Picture),
    Sound(media::Sound),
}

/// Texts up to this size are looked at in some hundred microseconds.
const LIGHT_BYTES: usize = 1024;

/// Whether `bytes` are a short text. Nothing else is light: a picture of a few bytes may be large.
pub fn is_light(bytes: &[u8], name: Option<&str>) -> bool {
    use media::MediaType::{Markdown, PlainText};
    bytes.len() <= LIGHT_BYTES && matches!(media::sniff(bytes, name), Ok(PlainText | Markdown))
}

/// Decodes `bytes` and cuts them.
pub fn cut(bytes: &[u8], kind: media::MediaType, cutting: &Cutting) -> Result<Cut, media::MediaError> {
    let limits = &cutting.settings.limits;
    let (facts, pieces, content) = match kind.modality() {
        Modality::Text | Modality::Video => cut_text(bytes, kind, cutting)?,
        Modality::Image => cut_picture(media::decode_image(bytes, kind, limits)?, &cutting.settings),
        Modality::Audio => cut_sound(&media::decode_audio(bytes, kind, limits)?, cutting)?,
    };
    limits.check_segments(pieces.len() as u64)?;
    Ok(Cut { facts, pieces, content, blob: BlobHash::of(bytes) })
}

type Parts = (PartFacts, Vec<Piece>, Content);

fn cut_text(bytes: &[u8], kind: media::MediaType, cutting: &Cutting) -> Result<Parts, media::MediaError> {
    let settings = &cutting.settings;
    let text = media::decode_text(bytes, &settings.limits)?;
    let markdown = kind == media::MediaType::Markdown;
    let tokens = |text: &str| (cutting.count_tokens)(text);
    let chunks = media::chunk(&text, markdown, &tokens, settings.chunk_tokens, settings.chunk_overlap_tokens);
    if chunks.is_empty() {
        return Err(media::MediaError::Empty);
    }
    let pieces = chunks
        .into_iter()
        .map(|chunk| Piece {
            kind: SegmentKind::Chunk,
            modality: Modality::Text,
            place: Place::Characters { start_char: chunk.start_char, end_char: chunk.end_char, heading: chunk.heading },
            text: Some(chunk.text),
        })
        .collect();
    let facts = PartFacts { characters: Some(text.chars().count() as u64), ..PartFacts::default() };
    Ok((facts, pieces, Content::Text))
}

fn cut_picture(picture: media::Picture, settings: &config::Ingest) -> Parts {
    let (width_px, height_px) = (picture.width_px, picture.height_px);
    let options = media::TileOptions {
        min_side_px: settings.tile_above_px,
        tile_side_px: settings.tile_px,
        max_tiles: settings.max_tiles,
        ..media::TileOptions::default()
    };
    let whole = Piece { kind: SegmentKind::Image, modality: Modality::Image, place: Place::Whole, text: None };
    let tiles = media::tiles(width_px, height_px, &options).into_iter().map(|tile| Piece {
        kind: SegmentKind::Tile,
        modality: Modality::Image,
        place: Place::Region { x_px: tile.x_px, y_px: tile.y_px, width_px: tile.width_px, height_px: tile.height_px },
        text: None,
    });
    let pieces = std::iter::once(whole).chain(tiles).collect();
    let facts = PartFacts { width_px: Some(width_px), height_px: Some(height_px), ..PartFacts::default() };
    (facts, pieces, Content::Picture(picture))
}

fn cut_sound(sound: &media::Sound, cutting: &Cutting) -> Result<Parts, media::MediaError> {
    let duration_ms = sound.duration_ms();
    let pieces = media::windows(duration_ms, cutting.sound.window_ms, cutting.hop_ms())
        .into_iter()
        .map(|span| Piece {
            kind: SegmentKind::Window,
            modality: Modality::Audio,
            place: Place::Time { start_ms: span.start_ms, end_ms: span.end_ms },
            text: None,
        })
        .collect();
    let facts = PartFacts {
        duration_ms: Some(duration_ms),
        sample_rate_hz: Some(sound.sample_rate_hz),
        ..PartFacts::default()
    };
    Ok((facts, pieces, Content::Sound(media::resample(sound, cutting.sound.sample_rate_hz)?)))
}

impl Cut {
    /// What the model is to be given for a piece.
    pub fn input(&self, piece: &Piece) -> EncodeInput {
        match (&self.content, &piece.place) {
            (Content::Picture(picture), Place::Region { x_px, y_px, width_px, height_px }) => {
                let region = media::PixelBox { x_px: *x_px, y_px: *y_px, width_px: *width_px, height_px: *height_px };
                picture.crop(region).as_ref().map_or_else(|| image_input(picture), image_input)
            }
            (Content::Picture(picture), _) => image_input(picture),
            (Content::Sound(sound), Place::Time { start_ms, end_ms }) => {
                sound_input(&sound.slice(media::TimeSpan { start_ms: *start_ms, end_ms: *end_ms }))
            }
            (Content::Sound(sound), _) => sound_input(sound),
            (Content::Text, _) => EncodeInput::Text(Arc::from(piece.words().as_str())),
        }
    }

    /// The key under which the vectors of a piece are kept.
    pub fn key(&self, piece: &Piece) -> ContentKey {
        let blob = self.blob.as_bytes();
        match &piece.place {
            Place::Characters { .. } => ContentKey::of(&[b"text", piece.words().as_bytes()]),
            Place::Whole => ContentKey::of(&[piece.modality.as_str().as_bytes(), blob]),
            Place::Region { x_px, y_px, width_px, height_px } => {
                let numbers: Vec<u8> =
                    [x_px, y_px, width_px, height_px].into_iter().flat_map(|n| n.to_be_bytes()).collect();
                ContentKey::of(&[b"image", blob, &numbers])
            }
            Place::Time { start_ms, end_ms } => {
                ContentKey::of(&[b"audio", blob, &start_ms.to_be_bytes(), &end_ms.to_be_bytes()])
            }
        }
    }
}

impl Piece {
    /// The words that stand for a text piece: its heading, then its text.
    pub fn words(&self) -> String {
        let text = self.text.as_deref().unwrap_or_default();
        match &self.place {
            Place::Characters { heading: Some(heading), .. } if !text.starts_with(heading.as_str()) => {
                format!("{heading}\n{text}")
            }
            _ => text.to_owned(),
        }
    }
}

/// A picture as a model takes it.
pub fn image_input(picture: &media::Picture) -> EncodeInput {
    let rgb = picture.on_white();
    EncodeInput::Image { width_px: rgb.width_px, height_px: rgb.height_px, rgb: Arc::from(rgb.rgb) }
}

/// A sound as a model takes it.
pub fn sound_input(sound: &media::Sound) -> EncodeInput {
    EncodeInput::Audio { sample_rate_hz: sound.sample_rate_hz, samples: Arc::from(sound.samples.as_slice()) }
}
