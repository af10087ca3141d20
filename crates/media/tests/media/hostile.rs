//! Files that lie, files that are cut, and noise.

use image::ImageFormat;
use proptest::prelude::*;
use sensorium_media::{Limits, MediaError, MediaType, Modality, chunk, decode_audio, decode_image, decode_text, sniff};

use crate::support::{FLAC, SVG, drawing, encode, rasters, recordings, wav};

/// Decodes bytes as what they are taken for; the error where they are not taken.
fn decode(bytes: &[u8], limits: &Limits) -> Result<(), MediaError> {
    let media_type = sniff(bytes, None)?;
    decode_as(bytes, media_type, limits)
}

fn decode_as(bytes: &[u8], media_type: MediaType, limits: &Limits) -> Result<(), MediaError> {
    match media_type.modality() {
        Modality::Image => decode_image(bytes, media_type, limits).map(drop),
        Modality::Audio => decode_audio(bytes, media_type, limits).map(drop),
        _ => decode_text(bytes, limits).map(|text| drop(chunk(&text, true, &str::len, 50, 10))),
    }
}

fn refusal(bytes: &[u8]) -> MediaError {
    decode(bytes, &Limits::default()).expect_err("the file is refused")
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

#[test]
fn pictures_that_claim_too_many_pixels_are_refused_before_they_are_decoded() {
    let side = 60_000_u32;
    let files = rasters();
    let file =
        |wanted: MediaType| files.iter().find(|(media_type, _)| *media_type == wanted).expect("a file").1.clone();

    let mut png = file(MediaType::Png);
    put(&mut png, 16, &side.to_be_bytes());
    put(&mut png, 20, &side.to_be_bytes());
    let sum = crc32(&png[12..29]);
    put(&mut png, 29, &sum.to_be_bytes());
    let mut gif = file(MediaType::Gif);
    put(&mut gif, 6, &(side as u16).to_le_bytes());
    put(&mut gif, 8, &(side as u16).to_le_bytes());
    let mut bmp = file(MediaType::Bmp);
    put(&mut bmp, 18, &side.to_le_bytes());
    put(&mut bmp, 22, &side.to_le_bytes());
    let mut jpeg = file(MediaType::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame header");
    put(&mut jpeg, frame + 5, &(side as u16).to_be_bytes());
    put(&mut jpeg, frame + 7, &(side as u16).to_be_bytes());

    for (name, bytes) in [("png", png), ("gif", gif), ("bmp", bmp), ("jpeg", jpeg)] {
        let error = refusal(&bytes);
        assert_eq!(error.code(), "image_too_large", "{name}: {error}");
        assert!(error.to_string().contains("3600000000 pixels; the limit is 100000000 (ingest.max_pixels)"), "{error}");
    }
}

/// The checksum of PNG chunks.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

#[test]
fn limits_are_named_with_value_and_setting() {
    let png = encode(&drawing().into(), ImageFormat::Png);
    let cases = [
        (Limits { max_bytes: 10, ..Limits::default() }, "file_too_large", "ingest.max_bytes"),
        (
            Limits { max_pixels: 383, ..Limits::default() },
            "image_too_large",
            "384 pixels; the limit is 383 (ingest.max_pixels)",
        ),
        (Limits { max_side_px: 23, ..Limits::default() }, "image_too_large", "ingest.max_side_px"),
    ];
    for (limits, code, words) in cases {
        let error = decode(&png, &limits).expect_err(code);
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains(words), "{error}");
    }
    let cases = [
        (Limits { max_duration_ms: 100, ..Limits::default() }, "audio_too_long", "ingest.max_duration_ms"),
        (Limits { max_decoded_samples: 100, ..Limits::default() }, "audio_too_large", "ingest.max_decoded_samples"),
    ];
    for (limits, code, words) in cases {
        for (media_type, bytes) in recordings() {
            let error = decode(&bytes, &limits).expect_err(code);
            assert_eq!(error.code(), code, "{media_type}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}

#[test]
fn claimed_lengths_are_not_believed() {
    let four_gigabytes = wav(1, 1, 8000, 16, u32::MAX, &[0; 1600]);
    let sound = decode_audio(&four_gigabytes, MediaType::Wav, &Limits::default()).expect("what is there");
    assert_eq!(sound.samples.len(), 800);

    // 36 bits of the stream information hold the number of samples: here two weeks of them.
    let mut flac = FLAC.to_vec();
    put(&mut flac, 22, &[0xff, 0xff, 0xff, 0xff]);
    flac[21] |= 0x0f;
    let sound = decode_audio(&flac, MediaType::Flac, &Limits::default()).expect("what is there");
    assert!(sound.duration_ms() < 400);

    let endless_rate = wav(1, 1, u32::MAX, 16, 1600, &[0; 1600]);
    assert_eq!(refusal(&endless_rate).code(), "file_corrupt");
}

#[test]
fn files_without_content_say_so() {
    assert_eq!(refusal(b""), MediaError::Empty);
    assert_eq!(refusal(&wav(1, 1, 8000, 16, 0, &[])), MediaError::Empty);
    for media_type in MediaType::ALL {
        assert_eq!(decode_as(b"", media_type, &Limits::default()), Err(MediaError::Empty));
    }
    assert_eq!(
        decode_image(b"x", MediaType::Wav, &Limits::default()).expect_err("a sound").code(),
        "media_type_mismatch"
    );
    assert_eq!(
        decode_audio(b"x", MediaType::Png, &Limits::default()).expect_err("a picture").code(),
        "media_type_mismatch"
    );
}

#[test]
fn pictures_that_end_early_are_refused() {
    for (media_type, bytes) in rasters() {
        for share in [30, 60, 90] {
            let cut = &bytes[..bytes.len() * share / 100];
            match decode_as(cut, media_type, &Limits::default()) {
                Err(error) => {
                    assert!(matches!(error.code(), "file_truncated" | "file_corrupt"), "{media_type}: {error}");
                }
                Ok(()) => panic!("{media_type} is taken with {share} % of its bytes"),
            }
        }
    }
}

#[test]
fn mislabelled_files_are_refused() {
    let files: Vec<_> = rasters().into_iter().chain(recordings()).collect();
    for (media_type, _) in &files {
        for (other, bytes) in &files {
            if media_type != other && media_type.modality() == other.modality() {
                assert!(decode_as(bytes, *media_type, &Limits::default()).is_err(), "{other} as {media_type}");
            }
        }
    }
}

fn samples() -> Vec<(MediaType, Vec<u8>)> {
    let texts = [
        (MediaType::Svg, SVG.as_bytes().to_vec()),
        (MediaType::Markdown, b"# Title\n\n- `one`\n- [two](x)\n".to_vec()),
    ];
    rasters().into_iter().chain(recordings()).chain(texts).collect()
}

/// Small limits, so that a mutation cannot ask for much.
fn tight() -> Limits {
    Limits { max_pixels: 1 << 22, max_decoded_samples: 1 << 22, ..Limits::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn noise_is_refused_or_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = decode(&bytes, &tight());
        for media_type in MediaType::ALL {
            let _ = decode_as(&bytes, media_type, &tight());
        }
    }

    #[test]
    fn noise_behind_a_magic_is_refused_or_decoded(which in 0_usize..64, kept in 4_usize..64, noise in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let files = samples();
        let (media_type, file) = &files[which % files.len()];
        let mut bytes = file[..kept.min(file.len())].to_vec();
        bytes.extend(noise);
        let _ = decode_as(&bytes, *media_type, &tight());
        let _ = decode(&bytes, &tight());
    }

    #[test]
    fn damaged_files_are_refused_or_decoded(
        which in 0_usize..64,
        cut in 0.0_f64..1.5,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        near_front: bool,
    ) {
        let files = samples();
        let (media_type, file) = &files[which % files.len()];
        let mut bytes = file[..((file.len() as f64 * cut) as usize).min(file.len())].to_vec();
        if !bytes.is_empty() {
            let reach = if near_front { bytes.len().min(128) } else { bytes.len() };
            for (index, value) in changes {
                bytes[index.index(reach)] = value;
            }
        }
        let _ = decode_as(&bytes, *media_type, &tight());
        let _ = decode(&bytes, &tight());
    }
}
