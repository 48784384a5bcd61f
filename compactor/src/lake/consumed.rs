//! Which raw objects the table has consumed: a set, not a high-water mark, since objects arrive out of order.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use bytes::Bytes;
use event::key::arrival_day;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use iceberg::table::Table;
use serde::{Deserialize, Serialize};

use super::CONSUMED;
use crate::error::{Error, ErrorKind, Result};

/// The keys of the newest days one by one, and the day before which all are consumed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsumedSet {
    /// Format of the file; 1.
    version: u32,
    /// Objects of earlier arrival days are consumed, whatever their key.
    from_day: Option<String>,
    /// Consumed objects of `from_day` and later, and those whose key names no day.
    keys: BTreeSet<String>,
    /// Those gateway objects among them whose every line is settled. Absent where there are none: the format is then
    /// that of a log without a gateway.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    settled: BTreeSet<String>,
}

impl ConsumedSet {
    /// Reads the set of the very snapshot that `table` is.
    ///
    /// # Errors
    /// The table names a set that cannot be read.
    pub async fn of(table: &Table) -> Result<Self> {
        let Some(location) = table.metadata().properties().get(CONSUMED) else { return Ok(Self::default()) };
        let context = || format!("read the consumed set {location}");
        let input = table.file_io().new_input(location).map_err(Error::lake(context()))?;
        let bytes = input.read().await.map_err(Error::lake(context()))?;
        let mut json = Vec::new();
        GzDecoder::new(&bytes[..]).read_to_end(&mut json).map_err(Error::lake(context()))?;
        let set: Self = serde_json::from_slice(&json).map_err(Error::lake(context()))?;
        if set.version == 1 {
            Ok(set)
        } else {
            Err(Error::new(ErrorKind::Table, format!("{}: its version is {}", context(), set.version)))
        }
    }

    /// Whether the object is in the table already.
    pub fn contains(&self, key: &str) -> bool {
        self.is_closed(key) || self.keys.contains(key)
    }

    /// Whether every line of the gateway object is settled.
    pub fn is_settled(&self, key: &str) -> bool {
        self.is_closed(key) || self.settled.contains(key)
    }

    fn is_closed(&self, key: &str) -> bool {
        arrival_day(key).zip(self.from_day()).is_some_and(|(day, from)| day < from)
    }

    /// The first day that a listing must show.
    pub fn from_day(&self) -> Option<&str> {
        self.from_day.as_deref()
    }

    /// How many keys are remembered one by one.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether nothing was consumed yet.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.from_day.is_none()
    }

    /// The set with more gateway objects settled.
    #[must_use]
    pub fn with_settled<'a>(mut self, settled: impl IntoIterator<Item = &'a str>) -> Self {
        self.settled.extend(settled.into_iter().map(str::to_owned));
        self
    }

    /// The set with more keys, closed before the oldest of the newest `days` days that have objects.
    ///
    /// A day with one of `still_pending` is not closed, nor any after it.
    #[must_use]
    pub fn with<'a>(&self, consumed: impl IntoIterator<Item = &'a str>, still_pending: &[&str], days: usize) -> Self {
        let mut keys = self.keys.clone();
        keys.extend(consumed.into_iter().map(str::to_owned));
        let mut newest: Vec<&str> = keys.iter().filter_map(|key| arrival_day(key)).collect();
        newest.dedup();
        newest.sort_unstable();
        newest.dedup();
        let oldest_kept = (newest.len() > days).then(|| newest[newest.len() - days].to_owned());
        let oldest_pending = still_pending.iter().filter_map(|key| arrival_day(key)).min().map(str::to_owned);
        let close = match (oldest_kept, oldest_pending) {
            (Some(kept), Some(pending)) => Some(kept.min(pending)),
            (kept, _) => kept,
        };
        let from_day = self.from_day.clone().max(close);
        let mut settled = self.settled.clone();
        if let Some(from) = &from_day {
            let is_open = |key: &String| arrival_day(key).is_none_or(|day| day >= from.as_str());
            keys.retain(is_open);
            settled.retain(is_open);
        }
        Self { version: 1, from_day, keys, settled }
    }

    /// The set as a file.
    pub(crate) fn to_bytes(&self) -> Result<Bytes> {
        let write = || {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&serde_json::to_vec(self)?)?;
            gzip.finish()
        };
        write().map(Bytes::from).map_err(Error::lake("render the consumed set"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(day: u32, name: &str) -> String {
        format!("raw/dt=2026-11-{day:02}/hour=00/{name}.ndjson.gz")
    }

    #[test]
    fn remembers_the_newest_days_and_closes_those_before() {
        let mut set = ConsumedSet::default();
        for day in [1, 5, 6, 7, 20] {
            set = set.with([key(day, "a").as_str()], &[], 4);
        }
        assert_eq!((set.from_day(), set.len()), (Some("2026-11-05"), 4));
        assert!(set.contains(&key(4, "never seen")), "closed");
        assert!(!set.contains(&key(5, "late")), "open");
        assert!(set.contains(&key(5, "a")));
    }

    #[test]
    fn a_day_with_pending_objects_stays_open() {
        let keys: Vec<String> = (1..=9).map(|day| key(day, "a")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let pending = key(3, "late");
        let set = ConsumedSet::default().with(keys.clone(), &[&pending], 4);
        assert_eq!(set.from_day(), Some("2026-11-03"));
        assert!(!set.contains(&pending));
        assert_eq!(set.with([pending.as_str()], &[], 4).from_day(), Some("2026-11-06"));
    }

    #[test]
    fn a_leap_of_the_clock_closes_nothing_early() {
        let set = ConsumedSet::default().with(["raw/dt=2026-11-20/a", "raw/dt=2027-11-20/b"], &[], 4);
        assert!(!set.contains("raw/dt=2026-11-21/c"));
        assert!(!set.contains("raw/dt=2026-11-20/c"));
    }

    #[test]
    fn never_opens_a_closed_day_and_keeps_keys_without_a_day() {
        let keys: Vec<String> = (1..=9).map(|day| key(day, "a")).collect();
        let set = ConsumedSet::default().with(keys.iter().map(String::as_str).chain(["raw/fallback/x"]), &[], 3);
        let again = set.with([], &[&key(1, "b")], 9);
        assert_eq!(again.from_day(), Some("2026-11-07"));
        assert!(again.contains("raw/fallback/x") && !again.contains("raw/fallback/y"));
    }

    #[test]
    fn a_gateway_object_is_settled_apart_and_forgotten_with_its_day() {
        let gateway = |day: u32| format!("gateway/dt=2026-11-{day:02}/hour=00/a.gz");
        let set = ConsumedSet::default().with([gateway(1).as_str()], &[&gateway(1)], 3);
        assert!(set.contains(&gateway(1)) && !set.is_settled(&gateway(1)));
        let keys: Vec<String> = (1..=9).map(|day| key(day, "a")).collect();
        let open = set.with(keys.iter().map(String::as_str), &[&gateway(1)], 3);
        assert_eq!(open.from_day(), Some("2026-11-01"), "a line still waits to be settled");
        let settled = open.with_settled([gateway(1).as_str()]);
        assert!(settled.is_settled(&gateway(1)) && !settled.is_settled(&gateway(2)));
        let closed = settled.with([], &[], 3);
        assert_eq!((closed.from_day(), closed.settled.len()), (Some("2026-11-07"), 0));
        assert!(closed.is_settled(&gateway(1)) && closed.is_settled(&gateway(2)));
    }

    #[test]
    fn golden() {
        let set = ConsumedSet::default().with(["raw/dt=2026-11-20/hour=09/1-2.ndjson.gz"], &[], 4);
        let json = |set: &ConsumedSet| {
            let mut json = String::new();
            GzDecoder::new(&set.to_bytes().unwrap()[..]).read_to_string(&mut json).unwrap();
            json
        };
        let plain = r#"{"version":1,"from_day":null,"keys":["raw/dt=2026-11-20/hour=09/1-2.ndjson.gz"]}"#;
        assert_eq!(json(&set), plain);
        assert_eq!(
            json(&set.with_settled(["gateway/dt=2026-11-20/hour=09/x.gz"])),
            plain.replace("]}", r#"],"settled":["gateway/dt=2026-11-20/hour=09/x.gz"]}"#)
        );
    }
}
