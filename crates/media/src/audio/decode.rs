//! Files to samples, by the `symphonia` crate.

use std::io::{Cursor, ErrorKind};

use sensorium_domain::Modality;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::default::formats::{AdtsReader, FlacReader, IsoMp4Reader, MpaReader, OggReader, WavReader};

use super::mix::{End, Mix, check_rate};
use super::sound::Sound;
use crate::error::MediaError;
use crate::guard::guarded;
use crate::limits::Limits;
use crate::media_type::MediaType;
use crate::sniff::after_id3;

/// Decodes a recording and mixes its channels into one by their mean.
///
/// Only what is there is decoded: lengths that the header claims are not believed, and decoding stops as soon as `limits`
/// are passed. Single damaged packets are left out. Samples that are no numbers become silence.
///
/// # Errors
/// [`MediaError::TooLarge`] beyond the limits; [`MediaError::Truncated`] or [`MediaError::Corrupt`] when nothing, or too
/// little of it, can be decoded; [`MediaError::Unsupported`] for codecs that are not taken; [`MediaError::Empty`] for a
/// whole file without samples; [`MediaError::WrongKind`] for text and image types.
pub fn decode_audio(bytes: &[u8], media_type: MediaType, limits: &Limits) -> Result<Sound, MediaError> {
    if media_type.modality() != Modality::Audio {
        return Err(MediaError::WrongKind { media_type, wanted: "audio" });
    }
    limits.check_bytes(bytes.len() as u64)?;
    guarded(media_type, || {
        let mut mix = Mix::new(media_type, limits);
        let end = decode_packets(bytes, media_type, &mut mix)?;
        mix.finish(end)
    })
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
    let stream = MediaSourceStream::new(Box::new(Cursor::new(content)), MediaSourceStreamOptions::default());
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
fn start(reader: &mut dyn FormatReader, media_type: MediaType) -> Result<(u32, Box<dyn AudioDecoder>), MediaError> {
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

fn explain(error: &Error, media_type: MediaType) -> MediaError {
    match error {
        Error::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            MediaError::truncated(media_type, "it ends in its header")
        }
        Error::Unsupported(what) => MediaError::unsupported(media_type.as_str(), *what),
        error => MediaError::corrupt(media_type, error.to_string()),
    }
}
