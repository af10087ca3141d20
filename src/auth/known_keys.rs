//! API keys that were read a moment ago: who sends many requests is looked up once for many of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sensorium_domain::catalog::ApiKey;
use sensorium_domain::ids::KeyId;
use sensorium_domain::{BlobHash, Timestamp};

/// Keys that are kept at most.
const MOST: usize = 10_000;

/// Keys by the hash of their secret, each with the moment at which it was read. Unknown secrets are not kept.
pub struct KnownKeys {
    kept: Mutex<Kept>,
    fresh_ms: i64,
}

#[derive(Default)]
struct Kept {
    keys: HashMap<BlobHash, (ApiKey, Timestamp)>,
    /// When a key was revoked last. What was read until then may be from before.
    revoked_at: Option<Timestamp>,
}

impl KnownKeys {
    /// Keys are taken for what they were for so long; 0 keeps none.
    pub fn new(fresh_ms: i64) -> Self {
        Self { kept: Mutex::default(), fresh_ms }
    }

    /// The key, if it was read lately.
    pub fn get(&self, secret: &BlobHash, now: Timestamp) -> Option<ApiKey> {
        let kept = self.locked();
        let (key, read_at) = kept.keys.get(secret)?;
        self.is_fresh(*read_at, now).then(|| key.clone())
    }

    /// Keeps a key as it was read by a request that came at `asked_at`.
    pub fn keep(&self, secret: BlobHash, key: ApiKey, asked_at: Timestamp) {
        let mut kept = self.locked();
        if self.fresh_ms == 0 || kept.revoked_at.is_some_and(|revoked_at| asked_at <= revoked_at) {
            return;
        }
        let keys = &mut kept.keys;
        if keys.len() >= MOST && !keys.contains_key(&secret) {
            keys.retain(|_, (_, read_at)| self.is_fresh(*read_at, asked_at));
            if keys.len() >= MOST {
                keys.clear();
            }
        }
        keys.insert(secret, (key, asked_at));
    }

    /// Forgets a key, which has been revoked by `now`.
    pub fn forget(&self, id: KeyId, now: Timestamp) {
        let mut kept = self.locked();
        kept.keys.retain(|_, (key, _)| key.id != id);
        kept.revoked_at = Some(now);
    }

    fn is_fresh(&self, read_at: Timestamp, now: Timestamp) -> bool {
        (0..self.fresh_ms).contains(&now.since_ms(read_at))
    }

    fn locked(&self) -> MutexGuard<'_, Kept> {
        // Nothing that holds the lock can panic half-way.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn key(number: u128) -> ApiKey {
        ApiKey {
            id: KeyId::new(Timestamp::from_millis(0), number),
            name: String::new(),
            tenant: "acme".parse().unwrap(),
            scopes: Vec::new(),
            created_at: Timestamp::from_millis(0),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        }
    }

    fn secret(number: usize) -> BlobHash {
        BlobHash::of(&number.to_le_bytes())
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_key_is_known_for_a_while() {
        let known = KnownKeys::new(1_000);
        known.keep(secret(1), key(1), at(5_000));
        assert_eq!(known.get(&secret(1), at(5_999)), Some(key(1)));
        assert_eq!(known.get(&secret(1), at(6_000)), None);
        assert_eq!(known.get(&secret(1), at(4_999)), None, "a clock that was put back keeps no key for longer");
        assert_eq!(known.get(&secret(2), at(5_000)), None);
    }

    #[test]
    fn a_revoked_key_is_forgotten() {
        let known = KnownKeys::new(1_000);
        known.keep(secret(1), key(1), at(0));
        known.keep(secret(2), key(2), at(0));
        known.forget(key(1).id, at(5));
        assert_eq!((known.get(&secret(1), at(5)), known.get(&secret(2), at(5))), (None, Some(key(2))));
        known.keep(secret(1), key(1), at(5));
        assert_eq!(known.get(&secret(1), at(5)), None, "a request that came before had read it");
        known.keep(secret(3), key(3), at(6));
        assert_eq!(known.get(&secret(3), at(6)), Some(key(3)));
    }

    #[test]
    fn none_is_kept_for_no_time() {
        let known = KnownKeys::new(0);
        known.keep(secret(1), key(1), at(0));
        assert_eq!(known.get(&secret(1), at(0)), None);
        assert!(known.locked().keys.is_empty());
    }

    #[test]
    fn they_do_not_grow_without_bound() {
        let known = KnownKeys::new(1_000);
        for number in 0..MOST + 10 {
            known.keep(secret(number), key(number as u128), at(0));
            assert!(known.locked().keys.len() <= MOST);
        }
        assert!(known.get(&secret(MOST + 9), at(0)).is_some());
    }
}
