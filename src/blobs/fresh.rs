//! Small blobs that came a moment ago: the job that works on them need not read them back.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sensorium_domain::{BlobHash, TenantId};

/// Larger ones are not kept: reading them is little beside what is done with them.
const MOST_OF_ONE: usize = 64 << 10;

type Key = (TenantId, BlobHash);

/// As many as have room; the oldest go first.
pub(super) struct Fresh {
    kept: Mutex<Kept>,
    most_bytes: usize,
}

#[derive(Default)]
struct Kept {
    blobs: HashMap<Key, Bytes>,
    /// Oldest first. One that was removed meanwhile may still be named.
    order: VecDeque<Key>,
    bytes: usize,
}

impl Fresh {
    /// For `most_bytes` together.
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { kept: Mutex::default(), most_bytes }
    }

    pub(super) fn keep(&self, tenant: &TenantId, hash: BlobHash, bytes: &Bytes) {
        if bytes.len() > MOST_OF_ONE.min(self.most_bytes) {
            return;
        }
        let key = (tenant.clone(), hash);
        let mut kept = self.locked();
        if kept.blobs.contains_key(&key) {
            return;
        }
        // A copy of its own: the bytes may be a piece of a large request.
        kept.blobs.insert(key.clone(), Bytes::copy_from_slice(bytes));
        kept.order.push_back(key);
        kept.bytes += bytes.len();
        // Many that were removed would fill the list of names while there is room for bytes.
        while kept.bytes > self.most_bytes || kept.order.len() > 2 * kept.blobs.len() + 64 {
            let Some(oldest) = kept.order.pop_front() else { return };
            kept.remove(&oldest);
        }
    }

    pub(super) fn get(&self, tenant: &TenantId, hash: BlobHash) -> Option<Bytes> {
        self.locked().blobs.get(&(tenant.clone(), hash)).cloned()
    }

    pub(super) fn remove(&self, tenant: &TenantId, hash: BlobHash) {
        self.locked().remove(&(tenant.clone(), hash));
    }

    fn locked(&self) -> MutexGuard<'_, Kept> {
        // Nothing that holds the lock can panic half-way.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, key: &Key) {
        if let Some(bytes) = self.blobs.remove(key) {
            self.bytes -= bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn blob(number: usize, length: usize) -> (BlobHash, Bytes) {
        (BlobHash::of(&number.to_le_bytes()), Bytes::from(vec![7; length]))
    }

    fn tenant() -> TenantId {
        "acme".parse().unwrap()
    }

    #[test]
    fn the_oldest_make_room() {
        let fresh = Fresh::new(100);
        for number in 0..5 {
            let (hash, bytes) = blob(number, 30);
            fresh.keep(&tenant(), hash, &bytes);
        }
        let there: Vec<_> = (0..5).map(|number| fresh.get(&tenant(), blob(number, 0).0).is_some()).collect();
        assert_eq!(there, [false, false, true, true, true]);
        assert_eq!(fresh.locked().bytes, 90);
    }

    #[test]
    fn they_are_of_their_tenant_and_go_when_removed() {
        let fresh = Fresh::new(100);
        let (hash, bytes) = blob(1, 30);
        fresh.keep(&tenant(), hash, &bytes);
        assert_eq!(fresh.get(&"other".parse().unwrap(), hash), None);
        assert_eq!(fresh.get(&tenant(), hash), Some(bytes));
        fresh.remove(&tenant(), hash);
        assert_eq!((fresh.get(&tenant(), hash), fresh.locked().bytes), (None, 0));
    }

    #[test]
    fn large_ones_are_not_kept() {
        let fresh = Fresh::new(10 << 20);
        let (hash, bytes) = blob(1, MOST_OF_ONE + 1);
        fresh.keep(&tenant(), hash, &bytes);
        assert_eq!(fresh.get(&tenant(), hash), None);
    }

    #[test]
    fn names_of_removed_ones_do_not_pile_up() {
        let fresh = Fresh::new(10 << 20);
        for number in 0..10_000 {
            let (hash, bytes) = blob(number, 1);
            fresh.keep(&tenant(), hash, &bytes);
            fresh.remove(&tenant(), hash);
        }
        assert!(fresh.locked().order.len() < 200);
    }
}
