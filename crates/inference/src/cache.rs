//! The vectors of recent queries, the longest unused forgotten first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::key::Key;

/// What an entry takes beside its numbers: the key twice, the slot, and the maps' own.
const OVERHEAD_BYTES: usize = 160;

/// A bounded memory of vectors. Pure; whoever shares it puts it under a lock.
#[derive(Debug)]
pub struct Cache {
    most_bytes: usize,
    bytes: usize,
    slots: HashMap<Key, Slot>,
    by_use: BTreeMap<u64, Key>,
    uses: u64,
}

#[derive(Debug)]
struct Slot {
    vector: Arc<[f32]>,
    last_use: u64,
}

impl Cache {
    /// An empty cache that holds at most `most_bytes`.
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, bytes: 0, slots: HashMap::new(), by_use: BTreeMap::new(), uses: 0 }
    }

    /// The vector under `key`; it counts as used.
    pub fn get(&mut self, key: &Key) -> Option<Arc<[f32]>> {
        let slot = self.slots.get_mut(key)?;
        self.uses += 1;
        self.by_use.remove(&slot.last_use);
        self.by_use.insert(self.uses, *key);
        slot.last_use = self.uses;
        Some(Arc::clone(&slot.vector))
    }

    /// Remembers a vector and forgets as many as it takes to stay within the bound.
    pub fn put(&mut self, key: Key, vector: &[f32]) {
        self.remove(&key);
        let bytes = size_of_val(vector) + OVERHEAD_BYTES;
        if bytes > self.most_bytes {
            return;
        }
        while self.bytes + bytes > self.most_bytes {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                break;
            };
            self.remove(&oldest);
        }
        self.uses += 1;
        self.by_use.insert(self.uses, key);
        self.slots.insert(key, Slot { vector: vector.into(), last_use: self.uses });
        self.bytes += bytes;
    }

    fn remove(&mut self, key: &Key) {
        if let Some(slot) = self.slots.remove(key) {
            self.by_use.remove(&slot.last_use);
            self.bytes -= size_of_val(&*slot.vector) + OVERHEAD_BYTES;
        }
    }

    /// How many vectors it holds.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The bytes that it takes, its own bookkeeping estimated.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(number: u8) -> Key {
        Key([number; 32])
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let each = 4 * 4 + OVERHEAD_BYTES;
        let mut cache = Cache::new(3 * each);
        for number in 0..3 {
            cache.put(key(number), &[f32::from(number); 4]);
        }
        assert!(cache.get(&key(0)).is_some());
        cache.put(key(3), &[3.0; 4]);
        assert!(cache.get(&key(1)).is_none());
        assert_eq!(*cache.get(&key(0)).unwrap(), [0.0; 4]);
        assert_eq!((cache.len(), cache.bytes()), (3, 3 * each));
    }

    #[test]
    fn what_is_larger_than_all_of_it_is_not_kept() {
        let mut cache = Cache::new(100);
        cache.put(key(0), &[0.0; 4]);
        assert_eq!(cache.len(), 0);
    }

    proptest! {
        #[test]
        fn it_holds_what_it_says_and_never_more_than_it_may(
            puts in proptest::collection::vec((0_u8..20, 0_usize..40, any::<bool>()), 0..200),
            most in 0_usize..3000,
        ) {
            let mut cache = Cache::new(most);
            for (number, length, read) in puts {
                if read {
                    cache.get(&key(number));
                } else {
                    cache.put(key(number), &vec![f32::from(number); length]);
                }
                prop_assert!(cache.bytes() <= most);
                prop_assert_eq!(cache.by_use.len(), cache.slots.len());
                let bytes: usize = cache.slots.values().map(|slot| size_of_val(&*slot.vector) + OVERHEAD_BYTES).sum();
                prop_assert_eq!(cache.bytes(), bytes);
            }
        }
    }
}
