//! What one tenant may use: requests a minute, documents, bytes. A process counts requests by itself; documents and bytes are counted in the catalog.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{NotUntil, Quota, RateLimiter};
use sensorium_domain::TenantId;
use sensorium_domain::catalog::StorageQuota;

use crate::config;

const MINUTE: Duration = Duration::from_mins(1);

type Limiter = RateLimiter<TenantId, DefaultKeyedStateStore<TenantId>, DefaultClock, StateInformationMiddleware>;

/// The bounds of every tenant.
pub struct Allowances {
    usual: Allowance,
    own: HashMap<TenantId, Allowance>,
    clock: DefaultClock,
}

/// The bounds of a tenant, or of all tenants that have none of their own, each counted for itself.
struct Allowance {
    requests: Option<(RequestRate, Limiter)>,
    storage: StorageQuota,
}

/// A bound on requests: so many a minute, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRate {
    /// Requests a minute.
    pub per_minute: NonZeroU32,
    /// Requests at once after a pause.
    pub burst: NonZeroU32,
}

/// How a tenant stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The bound.
    pub rate: RequestRate,
    /// Requests that would be taken right now.
    pub remaining: u32,
    /// Seconds until the whole burst is there again.
    pub full_in_s: u64,
    /// Milliseconds until the next request is taken; `None` when this one was.
    pub refused_for_ms: Option<u64>,
}

impl RequestRate {
    fn of(per_minute: u32, burst: u32) -> Option<Self> {
        let per_minute = NonZeroU32::new(per_minute)?;
        Some(Self { per_minute, burst: NonZeroU32::new(burst).unwrap_or(per_minute) })
    }

    /// The time after which one more request is taken.
    fn interval(self) -> Duration {
        MINUTE / self.per_minute.get()
    }

    /// Seconds until a whole burst is there again; what is known as the window.
    pub fn window_s(self) -> u64 {
        self.missing_s(self.burst.get())
    }

    fn missing_s(self, requests: u32) -> u64 {
        (self.interval() * requests).as_millis().div_ceil(1000) as u64
    }

    fn limiter(self) -> Option<Limiter> {
        let quota = Quota::with_period(self.interval())?.allow_burst(self.burst);
        Some(RateLimiter::keyed(quota).with_middleware())
    }
}

impl Allowance {
    fn new(requests_per_minute: u32, request_burst: u32, max_documents: u64, max_blob_bytes: u64) -> Self {
        let requests = RequestRate::of(requests_per_minute, request_burst)
            .and_then(|rate| rate.limiter().map(|limiter| (rate, limiter)));
        let bound = |number: u64| (number > 0).then_some(number);
        Self { requests, storage: StorageQuota { documents: bound(max_documents), blob_bytes: bound(max_blob_bytes) } }
    }
}

impl Allowances {
    /// After the settings.
    pub fn new(settings: &config::Tenants) -> Self {
        let usual = Allowance::new(
            settings.requests_per_minute,
            settings.request_burst,
            settings.max_documents,
            settings.max_blob_bytes,
        );
        let own = settings.own.iter().map(|own| {
            let allowance = Allowance::new(
                own.requests_per_minute.unwrap_or(settings.requests_per_minute),
                own.request_burst.unwrap_or(settings.request_burst),
                own.max_documents.unwrap_or(settings.max_documents),
                own.max_blob_bytes.unwrap_or(settings.max_blob_bytes),
            );
            (own.name.clone(), allowance)
        });
        Self { usual, own: own.collect(), clock: DefaultClock::default() }
    }

    fn of(&self, tenant: &TenantId) -> &Allowance {
        self.own.get(tenant).unwrap_or(&self.usual)
    }

    /// Counts a request; `None` when the tenant's requests are not bounded.
    pub fn count_request(&self, tenant: &TenantId) -> Option<Standing> {
        let (rate, limiter) = self.of(tenant).requests.as_ref()?;
        let (remaining, refused_for_ms) = match limiter.check_key(tenant) {
            Ok(taken) => (taken.remaining_burst_capacity(), None),
            Err(refused) => (0, Some(self.wait_ms(&refused))),
        };
        let full_in_s = rate.missing_s(rate.burst.get().saturating_sub(remaining));
        Some(Standing { rate: *rate, remaining, full_in_s, refused_for_ms })
    }

    fn wait_ms(&self, refused: &NotUntil<<DefaultClock as Clock>::Instant>) -> u64 {
        refused.wait_time_from(self.clock.now()).as_millis() as u64 + 1
    }

    /// The bounds on what the tenant keeps.
    pub fn storage(&self, tenant: &TenantId) -> StorageQuota {
        self.of(tenant).storage
    }

    /// The bound on the tenant's requests.
    pub fn request_rate(&self, tenant: &TenantId) -> Option<RequestRate> {
        self.of(tenant).requests.as_ref().map(|(rate, _)| *rate)
    }

    /// Forgets tenants that have their whole burst again, so that what is kept does not grow.
    pub fn forget_the_quiet(&self) {
        for (_, limiter) in self.own.values().chain([&self.usual]).filter_map(|allowance| allowance.requests.as_ref()) {
            limiter.retain_recent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenants(text: &str) -> config::Tenants {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn each_tenant_has_its_own_count_and_may_have_its_own_bounds() {
        let allowances = Allowances::new(&tenants(
            "requests_per_minute = 2\nrequest_burst = 0\nmax_documents = 5\nmax_blob_bytes = 0\n\
             own = [{ name = \"big\", requests_per_minute = 600, request_burst = 3, max_documents = 0 }]",
        ));
        let [acme, eve, big]: [TenantId; 3] = ["acme", "eve", "big"].map(|name| name.parse().unwrap());
        let taken = |tenant| allowances.count_request(tenant).unwrap().refused_for_ms.is_none();
        assert_eq!([taken(&acme), taken(&acme), taken(&acme)], [true, true, false]);
        assert!(taken(&eve), "another's requests do not count");
        let standing = allowances.count_request(&big).unwrap();
        assert_eq!((standing.remaining, standing.rate.window_s()), (2, 1));
        let refused = allowances.count_request(&acme).unwrap();
        assert_eq!(refused.remaining, 0);
        assert!((1..=30_001).contains(&refused.refused_for_ms.unwrap()), "{refused:?}");
        assert_eq!(allowances.storage(&acme), StorageQuota { documents: Some(5), blob_bytes: None });
        assert_eq!(allowances.storage(&big), StorageQuota::default());
    }

    #[test]
    fn without_bounds_nothing_is_counted() {
        let none = "requests_per_minute = 0\nrequest_burst = 0\nmax_documents = 0\nmax_blob_bytes = 0\nown = []";
        let allowances = Allowances::new(&tenants(none));
        assert_eq!(allowances.count_request(&"acme".parse().unwrap()), None);
    }
}
