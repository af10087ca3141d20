//! Files to samples, by the `symphonia` crate.

use std::io::{Cursor, ErrorKind};

use sensorium_domain::Modality;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::default::formats::{
    AdtsReader, FlacReader, IsoMp4Reader, MpaReader, OggReader, WavReader,
};

use super::sound::Sound;
use crate::error::{Measure, MediaError};
use crate::guard::guarded;
use crate::limits::Limits;
use crate::media_type::MediaType;
use crate::sniff::after_id3;

/// Sample rates that are taken; a header may claim any.
const SAMPLE_RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Packets that may be damaged or without sound, beyond as many as hold sound, before the file is given up.
const PATIENCE_PACKETS: u64 = 64;

/// Decodes a recording and mixes its channels into one by their mean.
///
/// Only what is there is decoded: lengths that the header claims are not believed, and decoding stops as soon as `limits`
/// are passed. Single damaged packets are left out. Samples that are no numbers become silence.
///
/// # Errors
/// [`MediaError::TooLarge`] beyond the limits; [`MediaError::Truncated`] or [`MediaError::Corrupt`] when nothing, or too
/// little of it, can be decoded; [`MediaError::Unsupported`] for codecs that are not taken; [`MediaError::Empty`] for a
/// whole file without samples; [`MediaError::WrongKind`] for text and image types.
pub fn decode_audio(
    bytes: &[u8],
    media_type: MediaType,
    limits: &Limits,
) -> Result<Sound, MediaError> {
    if media_type.modality() != Modality::Audio {
        return Err(MediaError::WrongKind {
            media_type,
            wanted: "audio",
        });
    }
    limits.check_bytes(bytes.len() as u64)?;
    guarded(media_type, || {
        let mut mix = Mix::new(media_type, limits);
        let end = decode_packets(bytes, media_type, &mut mix)?;
        mix.finish(end)
    })
}

/// How the stream of packets came to its end.
enum End {
    Clean,
    Cut,
    Broken(String),
}

fn decode_packets(bytes: &[u8], media_type: MediaType, mix: &mut Mix) -> Result<End, MediaError> {
    let failed = |error: Error| explain(&error, media_type);
    let mut reader = open(bytes, media_type).map_err(failed)?;
    let (mut track, mut decoder) = start(reader.as_mut(), media_type)?;
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(End::Clean),
            // The next of several recordings that were joined end to end, as Ogg allows.
            Err(Error::ResetRequired) => {
                (track, decoder) = start(reader.as_mut(), media_type)?;
                continue;
            }
            Err(Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                return Ok(End::Cut);
            }
            Err(error) => return Ok(End::Broken(error.to_string())),
        };
        if packet.track_id != track {
            mix.skip_packet()?;
            continue;
        }
        match decoder.decode(&packet) {
            Ok(decoded) => {
                let rate = decoded.spec().rate();
                let channels = decoded.spec().channels().count();
                let mut interleaved = std::mem::take(&mut mix.interleaved);
                decoded.copy_to_vec_interleaved::<f32>(&mut interleaved);
                let added = mix.add(&interleaved, rate, channels);
                mix.interleaved = interleaved;
                added?;
            }
            Err(Error::DecodeError(_) | Error::IoError(_)) => mix.skip_packet()?,
            Err(Error::ResetRequired) => (track, decoder) = start(reader.as_mut(), media_type)?,
            Err(error) => return Ok(End::Broken(error.to_string())),
        }
    }
}

fn open<'a>(bytes: &'a [u8], media_type: MediaType) -> Result<Box<dyn FormatReader + 'a>, Error> {
    let content = match media_type {
        MediaType::Mp3 | MediaType::Aac | MediaType::Flac => &bytes[after_id3(bytes)..],
        _ => bytes,
    };
    let stream = MediaSourceStream::new(
        Box::new(Cursor::new(content)),
        MediaSourceStreamOptions::default(),
    );
    let options = FormatOptions::default();
    Ok(match media_type {
        MediaType::Wav => Box::new(WavReader::try_new(stream, options)?),
        MediaType::Flac => Box::new(FlacReader::try_new(stream, options)?),
        MediaType::Mp3 => Box::new(MpaReader::try_new(stream, options)?),
        MediaType::Ogg => Box::new(OggReader::try_new(stream, options)?),
        MediaType::Mp4Audio => Box::new(IsoMp4Reader::try_new(stream, options)?),
        MediaType::Aac => Box::new(AdtsReader::try_new(stream, options)?),
        _ => return Err(Error::Unsupported("not a recording")),
    })
}

/// The first sound track and a decoder for it.
fn start(
    reader: &mut dyn FormatReader,
    media_type: MediaType,
) -> Result<(u32, Box<dyn AudioDecoder>), MediaError> {
    let track = reader
        .default_track(TrackType::Audio)
        .ok_or_else(|| MediaError::corrupt(media_type, "it has no sound track that can be read"))?;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio())
        .ok_or_else(|| MediaError::unsupported(media_type.as_str(), "its codec is not known"))?;
    if let Some(rate) = parameters.sample_rate {
        check_rate(rate, media_type)?;
    }
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|error| explain(&error, media_type))?;
    Ok((track.id, decoder))
}

fn check_rate(rate: u32, media_type: MediaType) -> Result<(), MediaError> {
    if SAMPLE_RATES_HZ.contains(&rate) {
        return Ok(());
    }
    Err(MediaError::corrupt(
        media_type,
        format!("it claims a sample rate of {rate} Hz"),
    ))
}

fn explain(error: &Error, media_type: MediaType) -> MediaError {
    match error {
        Error::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            MediaError::truncated(media_type, "it ends in its header")
        }
        Error::Unsupported(what) => MediaError::unsupported(media_type.as_str(), *what),
        error => MediaError::corrupt(media_type, error.to_string()),
    }
}

/// The one channel that grows while packets come in, and the account of what was seen.
struct Mix<'a> {
    media_type: MediaType,
    limits: &'a Limits,
    interleaved: Vec<f32>,
    samples: Vec<f32>,
    sample_rate_hz: u32,
    channels: usize,
    sounding_packets: u64,
    silent_packets: u64,
}

impl<'a> Mix<'a> {
    fn new(media_type: MediaType, limits: &'a Limits) -> Self {
        Self {
            media_type,
            limits,
            interleaved: Vec::new(),
            samples: Vec::new(),
            sample_rate_hz: 0,
            channels: 0,
            sounding_packets: 0,
            silent_packets: 0,
        }
    }

    fn add(&mut self, interleaved: &[f32], rate: u32, channels: usize) -> Result<(), MediaError> {
        if interleaved.is_empty() || channels == 0 {
            return self.skip_packet();
        }
        check_rate(rate, self.media_type)?;
        if self.sample_rate_hz == 0 {
            self.sample_rate_hz = rate;
            self.channels = channels;
        } else if self.sample_rate_hz != rate {
            let reason = format!(
                "its sample rate changes from {} to {rate} Hz",
                self.sample_rate_hz
            );
            return Err(MediaError::unsupported(self.media_type.as_str(), reason));
        }
        self.sounding_packets += 1;
        let total = (self.samples.len() + interleaved.len() / channels) as u64;
        self.limits.check(Measure::Samples, total)?;
        self.limits.check(
            Measure::DurationMs,
            total.saturating_mul(1000) / u64::from(rate),
        )?;
        let share = 1.0 / channels as f32;
        self.samples
            .extend(interleaved.chunks_exact(channels).map(|frame| {
                let mean = frame.iter().sum::<f32>() * share;
                if mean.is_finite() { mean } else { 0.0 }
            }));
        Ok(())
    }

    fn skip_packet(&mut self) -> Result<(), MediaError> {
        self.silent_packets += 1;
        if self.silent_packets > self.sounding_packets + PATIENCE_PACKETS {
            return Err(MediaError::corrupt(
                self.media_type,
                "most of its packets cannot be decoded",
            ));
        }
        Ok(())
    }

    fn finish(self, end: End) -> Result<Sound, MediaError> {
        if self.samples.is_empty() {
            return Err(match end {
                End::Broken(reason) => MediaError::corrupt(self.media_type, reason),
                End::Cut => {
                    MediaError::truncated(self.media_type, "it ends before its first sample")
                }
                End::Clean if self.silent_packets > 0 => {
                    MediaError::corrupt(self.media_type, "none of its packets can be decoded")
                }
                End::Clean => MediaError::Empty,
            });
        }
        Ok(Sound {
            sample_rate_hz: self.sample_rate_hz,
            samples: self.samples,
            channels_in_file: u16::try_from(self.channels).unwrap_or(u16::MAX),
        })
    }
}
