//! Writing WAV.

use super::sound::Sound;

const BYTES_PER_SAMPLE: u32 = 2;
const HEADER_BYTES: u32 = 44;

/// The recording as a 16-bit PCM WAV file with one channel. Samples outside -1 to 1 are clipped; what does not fit the
/// 4 GiB of the format is left out.
pub fn to_wav(sound: &Sound) -> Vec<u8> {
    let most_samples = ((u32::MAX - HEADER_BYTES) / BYTES_PER_SAMPLE) as usize;
    let samples = &sound.samples[..sound.samples.len().min(most_samples)];
    let data_bytes = samples.len() as u32 * BYTES_PER_SAMPLE;
    let mut wav = Vec::with_capacity((HEADER_BYTES + data_bytes) as usize);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(HEADER_BYTES - 8 + data_bytes).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16_u32.to_le_bytes());
    wav.extend_from_slice(&1_u16.to_le_bytes()); // PCM
    wav.extend_from_slice(&1_u16.to_le_bytes()); // one channel
    wav.extend_from_slice(&sound.sample_rate_hz.to_le_bytes());
    wav.extend_from_slice(&sound.sample_rate_hz.saturating_mul(BYTES_PER_SAMPLE).to_le_bytes());
    wav.extend_from_slice(&(BYTES_PER_SAMPLE as u16).to_le_bytes());
    wav.extend_from_slice(&16_u16.to_le_bytes()); // bits per sample
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&data_bytes.to_le_bytes());
    for sample in samples {
        let value = (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16;
        wav.extend_from_slice(&value.to_le_bytes());
    }
    wav
}
