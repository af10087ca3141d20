//! Recordings.

use proptest::prelude::*;
use sensorium_media::{Limits, MediaType, Sound, TimeSpan, decode_audio, peaks, resample, sniff, to_wav, windows};

use crate::support::{recordings, tone, wav};

/// The strength of one frequency, as a share of a full-scale tone.
fn strength(sound: &Sound, hertz: f32) -> f32 {
    let step = hertz * std::f32::consts::TAU / sound.sample_rate_hz as f32;
    let (sine, cosine) = sound.samples.iter().enumerate().fold((0.0, 0.0), |(sine, cosine), (index, sample)| {
        let angle = (index as f32 * step) % std::f32::consts::TAU;
        (sine + sample * angle.sin(), cosine + sample * angle.cos())
    });
    2.0 * sine.hypot(cosine) / sound.samples.len() as f32
}

#[test]
fn every_format_decodes_to_the_same_tone() {
    for (media_type, bytes) in recordings() {
        assert_eq!(sniff(&bytes, None), Ok(media_type));
        let sound = decode_audio(&bytes, media_type, &Limits::default()).expect("a sound");
        assert_eq!((sound.sample_rate_hz, sound.channels_in_file), (22_050, 1), "{media_type}");
        assert!((290..700).contains(&sound.duration_ms()), "{media_type}: {} ms", sound.duration_ms());
        let (tone, other) = (strength(&sound, 440.0), strength(&sound, 1330.0));
        assert!(tone > 0.05 && other < tone / 10.0, "{media_type}: {tone} and {other}");
    }
}

#[test]
fn channels_are_mixed_by_their_mean_and_bad_numbers_are_silence() {
    let frames = [[0.5_f32, 0.25], [f32::NAN, 1.0], [f32::INFINITY, 0.0], [-1.0, 1.0]];
    let data: Vec<u8> = frames.iter().flatten().flat_map(|sample| sample.to_le_bytes()).collect();
    let file = wav(3, 2, 8000, 32, data.len() as u32, &data);
    let sound = decode_audio(&file, MediaType::Wav, &Limits::default()).expect("a sound");
    assert_eq!(sound.samples, [0.375, 0.0, 0.0, 0.0]);
    assert_eq!(sound.channels_in_file, 2);
}

#[test]
fn wav_files_are_read_back() {
    let original = tone(16_000, 0.25);
    let sound = decode_audio(&to_wav(&original), MediaType::Wav, &Limits::default()).expect("a sound");
    assert_eq!(sound.sample_rate_hz, 16_000);
    assert_eq!(sound.samples.len(), original.samples.len());
    let near = sound.samples.iter().zip(&original.samples).all(|(a, b)| (a - b).abs() < 1.0e-4);
    assert!(near);
}

#[test]
fn resampling_keeps_length_time_and_pitch() {
    for rate in [8000, 11_025, 22_050, 44_100, 48_000, 96_000] {
        let original = tone(rate, 0.5);
        let sound = resample(&original, 16_000).expect("a resampled sound");
        let expected = (original.samples.len() * 16_000).div_ceil(rate as usize);
        assert_eq!((sound.sample_rate_hz, sound.samples.len()), (16_000, expected));
        let ideal = tone(16_000, 0.5);
        let middle = 1000..7000;
        let error = sound.samples[middle.clone()].iter().zip(&ideal.samples[middle]).map(|(a, b)| (a - b).abs());
        let worst = error.fold(0.0, f32::max);
        assert!(worst < 0.01, "{rate}: {worst}");
    }
}

#[test]
fn resampling_removes_what_the_new_rate_cannot_hold() {
    let high = Sound { samples: (0..48_000).map(|i| (i as f32 * 1.4).sin()).collect(), ..tone(48_000, 1.0) };
    let sound = resample(&high, 16_000).expect("a resampled sound");
    let loudest = sound.samples[1000..15_000].iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
    assert!(loudest < 0.01, "{loudest}");
}

#[test]
fn odd_sounds_are_resampled_too() {
    let one = Sound { sample_rate_hz: 44_100, samples: vec![0.5], channels_in_file: 1 };
    assert_eq!(resample(&one, 16_000).expect("one sample").samples.len(), 1);
    let none = Sound { samples: Vec::new(), ..one.clone() };
    assert!(resample(&none, 16_000).expect("no samples").samples.is_empty());
    assert!(resample(&Sound { sample_rate_hz: 0, ..one.clone() }, 16_000).is_err());
    assert!(resample(&one, 0).is_err());
    let coprime = Sound { sample_rate_hz: 44_101, samples: vec![0.1; 50_000], channels_in_file: 1 };
    assert_eq!(resample(&coprime, 16_000).expect("a sound").samples.len(), 18_141);
}

#[test]
fn slices_and_peaks_are_in_place() {
    let ramp = Sound { sample_rate_hz: 1000, samples: (0_u16..1000).map(f32::from).collect(), channels_in_file: 1 };
    assert_eq!(ramp.duration_ms(), 1000);
    let part = ramp.slice(TimeSpan { start_ms: 100, end_ms: 300 });
    assert_eq!((part.samples[0], part.samples.len()), (100.0, 200));
    assert!(ramp.slice(TimeSpan { start_ms: 5000, end_ms: 9000 }).samples.is_empty());
    assert!(ramp.slice(TimeSpan { start_ms: 300, end_ms: 100 }).samples.is_empty());
    assert_eq!(peaks(&ramp, 4), [(0.0, 249.0), (250.0, 499.0), (500.0, 749.0), (750.0, 999.0)]);
    assert_eq!(peaks(&ramp, 3000).len(), 3000);
    assert!(peaks(&ramp, 0).is_empty());
    assert_eq!(peaks(&Sound { samples: Vec::new(), ..ramp }, 2), [(0.0, 0.0); 2]);
}

proptest! {
    #[test]
    fn windows_cover_the_recording(duration in 0_u64..100_000, window in 0_u64..20_000, hop in 0_u64..20_000) {
        let (window, hop) = (window.max(50), hop.max(25));
        let spans = windows(duration, window, hop);
        prop_assert_eq!(spans.is_empty(), duration == 0);
        let mut reached = 0;
        for span in &spans {
            prop_assert!(span.start_ms <= reached);
            prop_assert!(span.end_ms > reached);
            prop_assert_eq!(span.end_ms - span.start_ms, window.min(duration));
            reached = span.end_ms;
        }
        prop_assert_eq!(reached, duration);
    }
}
