//! Vectors as they are kept: half floats, little-endian.

use half::f16;

use crate::error::{Fail, Result};

pub(crate) fn encode(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect()
}

/// Torn vectors are refused.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<f32>> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Fail::corrupt("vector", format!("{} bytes", bytes.len())));
    }
    Ok(pairs.iter().map(|pair| f16::from_le_bytes(*pair).to_f32()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn halves_survive_and_torn_vectors_are_refused() {
        let vector = vec![0.0, -1.0, 0.5, 0.099_975_586];
        assert_eq!(decode(&encode(&vector)).unwrap(), vector);
        assert!(decode(&[0, 1, 2]).is_err());
    }
}
