//! Reads tensors from a safetensors file, by name and shape.
//!
//! Format: <https://github.com/huggingface/safetensors>. Half-precision numbers are widened to f32.

use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata, SafeTensorError};

use crate::error::ModelError;
use crate::source::read;

/// A weight file in memory.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    bytes: Vec<u8>,
    data_start: usize,
    metadata: Metadata,
}

impl Weights {
    /// Reads the file and checks its header against its length.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let bytes = read(path)?;
        let (header_length, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|error| header_error(path, bytes.len(), &error))?;
        let data_start = header_length + size_of::<u64>();
        let data_length = metadata.tensors().values().map(|tensor| tensor.data_offsets.1).max().unwrap_or(0);
        if data_start + data_length != bytes.len() {
            return Err(ModelError::Truncated { path: path.to_owned(), found_bytes: bytes.len() });
        }
        Ok(Self { path: path.to_owned(), bytes, data_start, metadata })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.metadata.info(name).is_some()
    }

    /// The shape of a tensor, where there is one of this name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.metadata.info(name).map(|tensor| tensor.shape.as_slice())
    }

    /// The numbers of a tensor, row by row, as f32. Its shape must be `expected`.
    pub fn tensor(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, ModelError> {
        let info = self
            .metadata
            .info(name)
            .ok_or_else(|| ModelError::MissingTensor { path: self.path.clone(), name: name.to_owned() })?;
        if info.shape != expected {
            return Err(ModelError::WrongShape {
                path: self.path.clone(),
                name: name.to_owned(),
                expected: expected.to_vec(),
                found: info.shape.clone(),
            });
        }
        let (start, end) = info.data_offsets;
        let bytes = &self.bytes[self.data_start + start..self.data_start + end];
        match info.dtype {
            Dtype::F32 => Ok(numbers(bytes, f32::from_le_bytes)),
            Dtype::F16 => Ok(numbers(bytes, |pair| f16::from_le_bytes(pair).to_f32())),
            Dtype::BF16 => Ok(numbers(bytes, |pair| bf16::from_le_bytes(pair).to_f32())),
            other => Err(ModelError::WrongNumbers {
                path: self.path.clone(),
                name: name.to_owned(),
                found: format!("{other:?}"),
            }),
        }
    }
}

fn numbers<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| convert(*chunk)).collect()
}

fn header_error(path: &Path, found_bytes: usize, error: &SafeTensorError) -> ModelError {
    match error {
        SafeTensorError::HeaderTooSmall
        | SafeTensorError::InvalidHeaderLength
        | SafeTensorError::MetadataIncompleteBuffer => ModelError::Truncated { path: path.to_owned(), found_bytes },
        other => ModelError::malformed(path, &format!("not a safetensors file ({other:?})")),
    }
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
