//! From byte offsets to character offsets.

/// Translates byte offsets of one text to character offsets; one pass over the text for any number of them.
pub(super) struct CharPositions {
    bytes: Vec<usize>,
    chars: Vec<u32>,
}

impl CharPositions {
    /// Prepares the answers for `bytes`, each of which lies on a character boundary of `text`.
    pub(super) fn new(text: &str, mut bytes: Vec<usize>) -> Self {
        bytes.sort_unstable();
        bytes.dedup();
        let mut chars = Vec::with_capacity(bytes.len());
        let (mut at_byte, mut at_char) = (0, 0_usize);
        for &byte in &bytes {
            at_char += text.get(at_byte..byte).map_or(0, |between| between.chars().count());
            at_byte = byte;
            chars.push(u32::try_from(at_char).unwrap_or(u32::MAX));
        }
        Self { bytes, chars }
    }

    /// The number of characters before `byte`, one of the offsets given to [`CharPositions::new`].
    pub(super) fn char_at(&self, byte: usize) -> u32 {
        let index = self.bytes.partition_point(|&known| known < byte);
        self.chars.get(index).copied().unwrap_or(u32::MAX)
    }
}
