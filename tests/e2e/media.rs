//! Small files, made here or taken from the repository.

use std::f64::consts::TAU;
use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::server::root;

/// Bytes as JSON carries them.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A file of the media crate's tests.
pub fn fixture(name: &str) -> Vec<u8> {
    fs::read(root().join("crates/media/tests/fixtures").join(name)).unwrap()
}

/// A file of the sample library.
pub fn sample(path: &str) -> Vec<u8> {
    fs::read(root().join("samples/library").join(path)).unwrap()
}

/// A tone: mono, 16 bit, 16 kHz.
pub fn wav(ms: u32, hz: f64) -> Vec<u8> {
    let rate = 16_000u32;
    let samples = ms * rate / 1000;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + samples * 2).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend_from_slice(&rate.to_le_bytes());
    bytes.extend_from_slice(&(rate * 2).to_le_bytes());
    bytes.extend_from_slice(b"\x02\0\x10\0data");
    bytes.extend_from_slice(&(samples * 2).to_le_bytes());
    for n in 0..samples {
        let value = (f64::from(n) / f64::from(rate) * hz * TAU).sin() * 12_000.0;
        bytes.extend_from_slice(&(value as i16).to_le_bytes());
    }
    bytes
}

/// A picture with a gradient that differs by seed.
pub fn png(width: u32, height: u32, seed: u8) -> Vec<u8> {
    let mut rows = Vec::new();
    for y in 0..height {
        rows.push(0); // no filter
        for x in 0..width {
            rows.extend_from_slice(&[(x * 255 / width) as u8, (y * 255 / height) as u8, seed]);
        }
    }
    let mut file = png_head(width, height);
    chunk(&mut file, *b"IDAT", &zlib(&rows));
    chunk(&mut file, *b"IEND", &[]);
    file
}

/// A PNG that claims a size and has hardly any pixels.
pub fn png_bomb(width: u32, height: u32) -> Vec<u8> {
    let mut file = png_head(width, height);
    chunk(&mut file, *b"IDAT", &zlib(&[0; 64]));
    chunk(&mut file, *b"IEND", &[]);
    file
}

fn png_head(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend_from_slice(&[8, 2, 0, 0, 0]);
    chunk(&mut file, *b"IHDR", &header);
    file
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    file.extend_from_slice(&(data.len() as u32).to_be_bytes());
    let body = [&kind, data].concat();
    file.extend_from_slice(&body);
    file.extend_from_slice(&crc32(&body).to_be_bytes());
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _: u32| if sum & 1 == 1 { 0xEDB8_8320 ^ (sum >> 1) } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

/// A zlib stream of stored blocks.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let blocks: Vec<&[u8]> = bytes.chunks(65_535).collect();
    for (index, block) in blocks.iter().enumerate() {
        let length = block.len() as u16;
        stream.push(u8::from(index + 1 == blocks.len()));
        stream.extend_from_slice(&length.to_le_bytes());
        stream.extend_from_slice(&(!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    stream.extend_from_slice(&((b << 16) | a).to_be_bytes());
    stream
}

/// A 24-bit BMP.
pub fn bmp(width: u32, height: u32) -> Vec<u8> {
    let row = (width * 3).div_ceil(4) * 4;
    let mut file = b"BM".to_vec();
    file.extend_from_slice(&(54 + row * height).to_le_bytes());
    file.extend_from_slice(b"\0\0\0\0\x36\0\0\0\x28\0\0\0");
    file.extend_from_slice(&width.to_le_bytes());
    file.extend_from_slice(&height.to_le_bytes());
    file.extend_from_slice(b"\x01\0\x18\0\0\0\0\0");
    file.extend_from_slice(&(row * height).to_le_bytes());
    file.extend_from_slice(&[0; 16]);
    file.extend((0..row * height).map(|n| (n % 251) as u8));
    file
}

/// An uncompressed grey TIFF.
pub fn tiff(width: u16, height: u16) -> Vec<u8> {
    let size = u32::from(width) * u32::from(height);
    let mut file = b"II\x2a\0".to_vec();
    file.extend_from_slice(&(8 + size).to_le_bytes());
    file.extend((0..size).map(|n| (n % 251) as u8));
    let entries: [(u16, u16, u32); 8] = [
        (256, 3, width.into()),
        (257, 3, height.into()),
        (258, 3, 8), // bits a sample
        (259, 3, 1), // no compression
        (262, 3, 1), // black is zero
        (273, 4, 8), // where the strip begins
        (278, 3, height.into()),
        (279, 4, size), // its bytes
    ];
    file.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    for (tag, kind, value) in entries {
        file.extend_from_slice(&tag.to_le_bytes());
        file.extend_from_slice(&kind.to_le_bytes());
        file.extend_from_slice(&1u32.to_le_bytes());
        file.extend_from_slice(&value.to_le_bytes());
    }
    file.extend_from_slice(&[0; 4]);
    file
}
