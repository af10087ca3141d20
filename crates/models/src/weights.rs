//! Reads tensors from a safetensors file, by name and shape.
//!
//! Format: <https://github.com/huggingface/safetensors>. Half-precision numbers are widened to f32.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata, SafeTensorError};
use serde::Deserialize;

use crate::error::ModelError;
use crate::source::{Source, read, unreadable};

/// The usual name of the weights.
pub const WEIGHTS: &str = "model.safetensors";
/// The usual name of the index of weights in several files.
pub const INDEX: &str = "model.safetensors.index.json";
/// As the format has it: 100 MB.
const LONGEST_HEADER: u64 = 100_000_000;

/// The tensors of a model: one safetensors file, or several with an index.
///
/// Only the headers stay in memory. A tensor's bytes are read when it is asked for, so that loading a model takes the memory
/// of its tensors once and not of its files beside them.
#[derive(Debug)]
pub struct Weights {
    /// What errors name: the file, or the index.
    path: PathBuf,
    shards: Vec<Shard>,
}

/// One file.
#[derive(Debug)]
struct Shard {
    path: PathBuf,
    file: File,
    data_start: usize,
    metadata: Metadata,
}

/// A tensor as it lies in the file.
struct Raw {
    bytes: Vec<u8>,
    dtype: Dtype,
}

/// `model.safetensors.index.json`.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Shard {
    /// Checks the header against the file's length.
    fn open(path: &Path) -> Result<Self, ModelError> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let length = file.metadata().map_err(|error| unreadable(path, &error))?.len() as usize;
        let (header_length, metadata) = header(path, &file, length)?;
        let data_start = header_length + size_of::<u64>();
        let data_length = metadata.tensors().values().map(|tensor| tensor.data_offsets.1).max().unwrap_or(0);
        if data_start + data_length != length {
            return Err(ModelError::Truncated { path: path.to_owned(), found_bytes: length });
        }
        Ok(Self { path: path.to_owned(), file, data_start, metadata })
    }
}

/// Reads no more than the header.
fn header(path: &Path, file: &File, length: usize) -> Result<(usize, Metadata), ModelError> {
    let truncated = || ModelError::Truncated { path: path.to_owned(), found_bytes: length };
    let mut head = [0; size_of::<u64>()];
    if length < head.len() {
        return Err(truncated());
    }
    file.read_exact_at(&mut head, 0).map_err(|error| unreadable(path, &error))?;
    let announced = u64::from_le_bytes(head);
    if announced > LONGEST_HEADER {
        return Err(ModelError::malformed(path, &"not a safetensors file (its header would be too long)"));
    }
    let whole = head.len() + announced as usize;
    if whole > length {
        return Err(truncated());
    }
    let mut bytes = vec![0; whole];
    file.read_exact_at(&mut bytes, 0).map_err(|error| unreadable(path, &error))?;
    match SafeTensors::read_metadata(&bytes) {
        Ok(read) => Ok(read),
        // The bytes end with the header, so that is what is missing here; the data are checked by the caller.
        Err(SafeTensorError::MetadataIncompleteBuffer) => {
            let metadata =
                serde_json::from_slice(&bytes[head.len()..]).map_err(|error| ModelError::malformed(path, &error))?;
            Ok((announced as usize, metadata))
        }
        Err(SafeTensorError::HeaderTooSmall | SafeTensorError::InvalidHeaderLength) => Err(truncated()),
        Err(other) => Err(ModelError::malformed(path, &format!("not a safetensors file ({other:?})"))),
    }
}

impl Weights {
    /// One file.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        Ok(Self { path: path.to_owned(), shards: vec![Shard::open(path)?] })
    }

    /// The files that an index (`model.safetensors.index.json`) names, all of them in its folder.
    pub fn open_index(path: &Path) -> Result<Self, ModelError> {
        let index: Index = serde_json::from_slice(&read(path)?).map_err(|error| ModelError::malformed(path, &error))?;
        let names: BTreeSet<&String> = index.weight_map.values().collect();
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut shards = Vec::with_capacity(names.len());
        for name in names {
            if Path::new(name).components().count() != 1 {
                return Err(ModelError::malformed(path, &format!("\"{name}\" is not the name of a file beside it")));
            }
            shards.push(Shard::open(&folder.join(name))?);
        }
        Ok(Self { path: path.to_owned(), shards })
    }

    /// The weights of a model folder: `model.safetensors`, or the files of `model.safetensors.index.json`.
    pub fn of(source: &Source) -> Result<Self, ModelError> {
        match source.file(INDEX) {
            Ok(index) if source.file(WEIGHTS).is_err() => Self::open_index(&index),
            _ => Self::open(&source.weights(WEIGHTS)?),
        }
    }

    /// The file, or the index of the files.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many numbers there are in all tensors, by the headers.
    pub fn parameters(&self) -> u64 {
        self.parameters_of("")
    }

    /// How many numbers there are in the tensors whose names begin so, by the headers.
    pub fn parameters_of(&self, beginning: &str) -> u64 {
        let tensors = self.shards.iter().flat_map(|shard| shard.metadata.tensors());
        let counted = tensors.filter(|(name, _)| name.starts_with(beginning));
        counted.map(|(_, tensor)| tensor.shape.iter().product::<usize>() as u64).sum()
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.shape(name).is_some()
    }

    /// The shape of a tensor, where there is one of this name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.shards.iter().find_map(|shard| shard.metadata.info(name)).map(|tensor| tensor.shape.as_slice())
    }

    /// The numbers of a tensor, row by row, as f32. Its shape must be `expected`.
    pub fn tensor(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, ModelError> {
        let raw = self.raw(name, expected)?;
        match raw.dtype {
            Dtype::F32 => Ok(numbers(&raw.bytes, f32::from_le_bytes)),
            Dtype::F16 => Ok(numbers(&raw.bytes, |pair| f16::from_le_bytes(pair).to_f32())),
            Dtype::BF16 => Ok(numbers(&raw.bytes, |pair| bf16::from_le_bytes(pair).to_f32())),
            other => Err(self.wrong_numbers(name, other)),
        }
    }

    /// A tensor on `device`, converted to `dtype`. Its shape must be `expected`.
    pub fn load(&self, name: &str, expected: &[usize], dtype: DType, device: &Device) -> Result<Tensor, ModelError> {
        let raw = self.raw(name, expected)?;
        let stored = match raw.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => return Err(self.wrong_numbers(name, other)),
        };
        Tensor::from_raw_buffer(&raw.bytes, stored, expected, device)
            .and_then(|tensor| tensor.to_dtype(dtype))
            .map_err(|error| ModelError::device(name, &error))
    }

    fn raw(&self, name: &str, expected: &[usize]) -> Result<Raw, ModelError> {
        let found = self.shards.iter().find_map(|shard| Some((shard, shard.metadata.info(name)?)));
        let Some((shard, info)) = found else {
            return Err(ModelError::MissingTensor { path: self.path.clone(), name: name.to_owned() });
        };
        if info.shape != expected {
            return Err(ModelError::WrongShape {
                path: shard.path.clone(),
                name: name.to_owned(),
                expected: expected.to_vec(),
                found: info.shape.clone(),
            });
        }
        let (start, end) = info.data_offsets;
        let mut bytes = vec![0; end - start];
        shard
            .file
            .read_exact_at(&mut bytes, (shard.data_start + start) as u64)
            .map_err(|error| unreadable(&shard.path, &error))?;
        Ok(Raw { bytes, dtype: info.dtype })
    }

    fn wrong_numbers(&self, name: &str, found: Dtype) -> ModelError {
        ModelError::WrongNumbers { path: self.path.clone(), name: name.to_owned(), found: format!("{found:?}") }
    }
}

fn numbers<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| convert(*chunk)).collect()
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{TensorView, serialize_to_file};

    use super::*;

    fn written(folder: &Path) -> PathBuf {
        let path = folder.join("w.safetensors");
        let halves: Vec<u8> = [1.5_f32, -2.0].iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect();
        let whole: Vec<u8> = [1_i64, 2].iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensors = [
            ("half", TensorView::new(Dtype::F16, vec![2, 1], &halves).unwrap()),
            ("whole", TensorView::new(Dtype::I64, vec![2], &whole).unwrap()),
        ];
        serialize_to_file(tensors, None, &path).unwrap();
        path
    }

    #[test]
    fn tensors_are_read_by_name_and_shape() {
        let folder = tempfile::tempdir().unwrap();
        let weights = Weights::open(&written(folder.path())).unwrap();
        assert_eq!(weights.tensor("half", &[2, 1]).unwrap(), [1.5, -2.0]);
        let error = weights.tensor("half", &[1, 2]).unwrap_err().to_string();
        assert!(error.contains("\"half\" has shape [2, 1], expected [1, 2]"), "{error}");
        assert!(matches!(weights.tensor("none", &[1]), Err(ModelError::MissingTensor { name, .. }) if name == "none"));
        assert!(matches!(weights.tensor("whole", &[2]), Err(ModelError::WrongNumbers { .. })));
    }

    #[test]
    fn a_cut_file_is_recognised_wherever_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(matches!(Weights::open(&path), Err(ModelError::Truncated { .. })), "cut to {length} bytes");
        }
        std::fs::write(&path, b"<!doctype html><title>502</title>").unwrap();
        assert!(Weights::open(&path).is_err());
    }
}
