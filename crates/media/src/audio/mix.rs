//! Packets of samples into one channel, within the limits.

use super::sound::Sound;
use crate::error::{Measure, MediaError};
use crate::limits::Limits;
use crate::media_type::MediaType;

/// Sample rates that are taken; a header may claim any.
const SAMPLE_RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Packets that may be damaged or without sound, beyond as many as hold sound, before the file is given up.
const PATIENCE_PACKETS: u64 = 64;

/// How the stream of packets came to its end.
pub(super) enum End {
    /// After its last packet.
    Clean,
    /// Inside a packet.
    Cut,
    /// At something that is no packet.
    Broken(String),
}

/// The one channel that grows while packets come in, and the account of what was seen.
pub(super) struct Mix<'a> {
    media_type: MediaType,
    limits: &'a Limits,
    /// Samples of one packet, kept so that its memory is used again.
    pub(super) interleaved: Vec<f32>,
    samples: Vec<f32>,
    sample_rate_hz: u32,
    channels: usize,
    sounding_packets: u64,
    silent_packets: u64,
}

impl<'a> Mix<'a> {
    pub(super) fn new(media_type: MediaType, limits: &'a Limits) -> Self {
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

    /// Mixes the samples of one packet, the channels one after another in each frame, and adds them.
    pub(super) fn add(&mut self, interleaved: &[f32], rate: u32, channels: usize) -> Result<(), MediaError> {
        if interleaved.is_empty() || channels == 0 {
            return self.skip_packet();
        }
        check_rate(rate, self.media_type)?;
        if self.sample_rate_hz == 0 {
            self.sample_rate_hz = rate;
            self.channels = channels;
        } else if self.sample_rate_hz != rate {
            let reason = format!("its sample rate changes from {} to {rate} Hz", self.sample_rate_hz);
            return Err(MediaError::unsupported(self.media_type.as_str(), reason));
        }
        self.sounding_packets += 1;
        let total = (self.samples.len() + interleaved.len() / channels) as u64;
        self.limits.check(Measure::Samples, total)?;
        self.limits.check(Measure::DurationMs, total.saturating_mul(1000) / u64::from(rate))?;
        let share = 1.0 / channels as f32;
        self.samples.extend(interleaved.chunks_exact(channels).map(|frame| {
            let mean = frame.iter().sum::<f32>() * share;
            if mean.is_finite() { mean } else { 0.0 }
        }));
        Ok(())
    }

    /// Notes a packet that holds no sound, or none that can be decoded.
    pub(super) fn skip_packet(&mut self) -> Result<(), MediaError> {
        self.silent_packets += 1;
        if self.silent_packets > self.sounding_packets + PATIENCE_PACKETS {
            return Err(MediaError::corrupt(self.media_type, "most of its packets cannot be decoded"));
        }
        Ok(())
    }

    /// The recording; an error when nothing of it was decoded.
    pub(super) fn finish(self, end: End) -> Result<Sound, MediaError> {
        if self.samples.is_empty() {
            return Err(match end {
                End::Broken(reason) => MediaError::corrupt(self.media_type, reason),
                End::Cut => MediaError::truncated(self.media_type, "it ends before its first sample"),
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

/// Refuses sample rates that no recording has.
pub(super) fn check_rate(rate: u32, media_type: MediaType) -> Result<(), MediaError> {
    if SAMPLE_RATES_HZ.contains(&rate) {
        return Ok(());
    }
    Err(MediaError::corrupt(media_type, format!("it claims a sample rate of {rate} Hz")))
}
