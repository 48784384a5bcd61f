//! How often one may ask: a bucket of tokens for each credential and for each address.
//!
//! A refused request is recorded like any other, but not without bound: of one asker's refusals as many enter the log as
//! requests would. The rest of a flood is answered and counted.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::auth::Identity;
use super::problem::Problem;
use crate::system::System;

/// Askers that are told apart at most; what is more shares some buckets.
const MOST: usize = 100_000;
/// How many buckets these share.
const SHARED: u64 = 4_096;
/// How often those are forgotten who have not asked for long, microseconds.
const SWEEP: u64 = 1_000_000;

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many times a second, for long.
    pub per_second: NonZeroU32,
    /// So many times at once.
    pub burst: NonZeroU32,
}

impl Rate {
    fn quota(self) -> Quota {
        Quota::per_second(self.per_second).allow_burst(self.burst)
    }

    /// Seconds in which an empty bucket is full again.
    fn window(self) -> u32 {
        self.burst.get().div_ceil(self.per_second.get())
    }
}

/// Which rates hold; none unless said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateSettings {
    /// For each credential: a key, or a principal.
    pub per_key: Option<Rate>,
    /// For each address, of IPv6 for each network of 64 bits: whoever has one has all of its addresses.
    pub per_address: Option<Rate>,
}

/// The buckets of one API. Shared by all requests.
pub struct Rates {
    per_key: Option<Buckets>,
    per_address: Option<Buckets>,
    refused: AtomicU64,
}

/// What one request has left of its rates, for the answer's headers.
#[derive(Debug, Default)]
pub struct Meter {
    standings: Vec<Standing>,
}

#[derive(Debug)]
struct Standing {
    name: &'static str,
    rate: Rate,
    left: u32,
    /// Seconds until there is one more.
    wait: u64,
}

/// Why a request is too many.
#[derive(Debug)]
pub struct TooMany {
    /// What the client is told.
    pub problem: Problem,
    /// Whether the log has room for it.
    pub recorded: bool,
}

impl Rates {
    /// Full buckets for everybody.
    pub fn new(settings: RateSettings, system: System) -> Self {
        let buckets = |name, rate: Option<Rate>| rate.map(|rate| Buckets::new(name, rate, system));
        let (per_key, per_address) = (buckets("key", settings.per_key), buckets("address", settings.per_address));
        Self { per_key, per_address, refused: AtomicU64::new(0) }
    }

    /// Takes one of an address's requests.
    ///
    /// # Errors
    /// It has none left.
    pub fn take_address(&self, client_ip: Option<&str>, meter: &mut Meter) -> Result<(), TooMany> {
        match (&self.per_address, client_ip) {
            (Some(buckets), Some(ip)) => self.take(buckets, network(ip), meter),
            _ => Ok(()),
        }
    }

    /// Takes one of a credential's requests; who has none has no bucket.
    ///
    /// # Errors
    /// It has none left.
    pub fn take_key(&self, identity: &Identity, meter: &mut Meter) -> Result<(), TooMany> {
        match &self.per_key {
            Some(buckets) if identity.actor_type != "anonymous" => {
                let asker = (identity.actor_type, &identity.tenant, &identity.actor_id);
                self.take(buckets, asker, meter)
            }
            _ => Ok(()),
        }
    }

    fn take(&self, buckets: &Buckets, asker: impl std::hash::Hash, meter: &mut Meter) -> Result<(), TooMany> {
        let taken = buckets.take(buckets.hasher.hash_one(asker), meter);
        if taken.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// What `/health` says of it, where there are rates.
    pub fn report(&self) -> Option<serde_json::Value> {
        let askers = |buckets: &Option<Buckets>| buckets.as_ref().map(|buckets| buckets.limiter.len());
        let (keys, addresses) = (askers(&self.per_key), askers(&self.per_address));
        let refused = self.refused.load(Ordering::Relaxed);
        (keys.is_some() || addresses.is_some())
            .then(|| serde_json::json!({ "requests_refused": refused, "keys": keys, "addresses": addresses }))
    }
}

impl Meter {
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10); none where no rate holds.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        if self.standings.is_empty() {
            return Vec::new();
        }
        let list = |item: &dyn Fn(&Standing) -> String| self.standings.iter().map(item).collect::<Vec<_>>().join(", ");
        let policy = |it: &Standing| format!("\"{}\";q={};w={}", it.name, it.rate.burst, it.rate.window());
        let standing = |it: &Standing| format!("\"{}\";r={};t={}", it.name, it.left, it.wait);
        vec![("ratelimit-policy", list(&policy)), ("ratelimit", list(&standing))]
    }
}

type Limiter = RateLimiter<u64, HashMapStateStore<u64>, Monotonic, StateInformationMiddleware>;

/// The buckets of one kind of asker, each called by a hash that nobody outside can aim at.
struct Buckets {
    name: &'static str,
    rate: Rate,
    hasher: RandomState,
    clock: Monotonic,
    limiter: Limiter,
    /// What may still be written of refusals.
    recorder: Limiter,
    swept: AtomicU64,
}

impl Buckets {
    fn new(name: &'static str, rate: Rate, system: System) -> Self {
        let clock = Monotonic(system.monotonic);
        let limiter = || Limiter::new(rate.quota(), HashMapStateStore::default(), clock);
        let (hasher, swept) = (RandomState::new(), AtomicU64::new(0));
        Self { name, rate, hasher, clock, limiter: limiter(), recorder: limiter(), swept }
    }

    fn take(&self, asker: u64, meter: &mut Meter) -> Result<(), TooMany> {
        let bucket = self.bucket(asker);
        let mut note = |left, wait| meter.standings.push(Standing { name: self.name, rate: self.rate, left, wait });
        match self.limiter.check_key(&bucket) {
            Ok(state) => {
                note(state.remaining_burst_capacity(), 1);
                Ok(())
            }
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                let seconds = (wait + Duration::from_nanos(999_999_999)).as_secs().max(1);
                note(0, seconds);
                let per_second = self.rate.per_second;
                let detail = format!("More than {per_second} requests a second come from this {}.", self.name);
                let problem = Problem::too_many(detail).with("retry-after", seconds.to_string());
                Err(TooMany { problem, recorded: self.recorder.check_key(&bucket).is_ok() })
            }
        }
    }

    /// The asker's own bucket, or a shared one where there are too many askers.
    fn bucket(&self, asker: u64) -> u64 {
        if self.limiter.len() < MOST {
            return asker;
        }
        let (now, swept) = ((self.clock.0)(), self.swept.load(Ordering::Relaxed));
        let is_due = now.saturating_sub(swept) >= SWEEP;
        if is_due && self.swept.compare_exchange(swept, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            // A bucket that is full again is as good as none.
            self.limiter.retain_recent();
            self.recorder.retain_recent();
        }
        if self.limiter.len() < MOST { asker } else { asker % SHARED }
    }
}

/// The network that an address stands for.
fn network(ip: &str) -> String {
    match ip.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V6(ip)) => format!("{:x}/64", ip.to_bits() >> 64),
        Ok(IpAddr::V4(ip)) => ip.to_string(),
        Err(_) => ip.to_owned(),
    }
}

/// The process's own monotonic clock, as the buckets have it.
#[derive(Debug, Clone, Copy)]
struct Monotonic(fn() -> u64);

impl Clock for Monotonic {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from((self.0)().saturating_mul(1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static MICROS: AtomicU64 = AtomicU64::new(1_000_000);

    fn rates(per_second: u32, burst: u32) -> Rates {
        let system = System { monotonic: || MICROS.load(Ordering::SeqCst), ..System::real() };
        let rate = Rate { per_second: per_second.try_into().unwrap(), burst: burst.try_into().unwrap() };
        Rates::new(RateSettings { per_key: Some(rate), per_address: Some(rate) }, system)
    }

    #[test]
    fn a_window_is_what_an_empty_bucket_takes() {
        let window = |per_second: u32, burst: u32| {
            Rate { per_second: per_second.try_into().unwrap(), burst: burst.try_into().unwrap() }.window()
        };
        assert_eq!([window(50, 100), window(50, 50), window(50, 1), window(2, 5)], [2, 1, 1, 3]);
    }

    #[test]
    fn networks_are_what_one_asker_has() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn askers_are_bounded_whoever_comes() {
        let rates = rates(1, 1);
        for n in 0..(MOST as u128 + 50_000) {
            let ip = std::net::Ipv6Addr::from_bits(n << 64).to_string();
            let _ = rates.take_address(Some(&ip), &mut Meter::default());
        }
        let askers = rates.per_address.as_ref().unwrap().limiter.len();
        assert!(askers <= MOST + SHARED as usize, "{askers}");
        MICROS.fetch_add(10_000_000, Ordering::SeqCst);
        assert!(rates.take_address(Some("192.0.2.77"), &mut Meter::default()).is_ok());
        assert_eq!(rates.per_address.as_ref().unwrap().limiter.len(), 1, "who has not asked for long is forgotten");
    }
}
