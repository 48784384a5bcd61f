//! Event ids: UUIDv7, strictly increasing within a process.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::time::Timestamp;

/// Identity of an event: a UUID, version 7 where Daybook made it, in lower case with hyphens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Uuid);

impl EventId {
    /// The id as a number: ids of one process sort as they were made.
    pub fn as_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// The id of a number that came from [`as_u128`](Self::as_u128).
    pub fn from_u128(value: u128) -> Self {
        Self(Uuid::from_u128(value))
    }

    /// The sixteen bytes, in network order.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id with these sixteen bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl FromStr for EventId {
    type Err = String;

    /// # Errors
    /// The text is not a UUID in lower case with hyphens: one id has one spelling, or equal ids could differ.
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("expected a UUID in lower case with hyphens, found {text:.64}");
        if text.len() != 36 || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(refused());
        }
        Uuid::try_parse(text).map(Self).map_err(|_| refused())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The 74 bits of a UUIDv7 that are not time, version or variant.
const FREE_BITS: u32 = 74;

/// Makes ids that never repeat and always grow, whatever the clock does.
///
/// Time and randomness are arguments. When the clock stands still or goes back, the next id is the last one plus a
/// random step, so that ids cannot be guessed from their neighbours.
#[derive(Debug, Clone, Default)]
pub struct EventIds {
    /// The last id's 48 bits of time and 74 free bits.
    last: u128,
}

impl EventIds {
    /// A generator whose ids are all greater than `last`, the greatest id of an earlier run.
    pub fn after(last: EventId) -> Self {
        Self { last: compact(last.as_u128()) }
    }

    /// The next id at `now`, from 16 random bytes.
    pub fn next(&mut self, now: Timestamp, random: [u8; 16]) -> EventId {
        let random = u128::from_be_bytes(random);
        let millis = u128::from(now.millis().max(0).unsigned_abs()) & ((1 << 48) - 1);
        let fresh = (millis << FREE_BITS) | (random & ((1 << FREE_BITS) - 1));
        let step = 1 + (random >> 64) % (1 << 32);
        self.last = if fresh > self.last { fresh } else { self.last + step };
        EventId::from_u128(expand(self.last))
    }
}

/// Spreads 122 bits over a UUID of version 7 and variant 10.
fn expand(bits: u128) -> u128 {
    let time = bits >> FREE_BITS;
    let a = (bits >> 62) & 0xfff;
    let b = bits & ((1 << 62) - 1);
    (time << 80) | (0x7 << 76) | (a << 64) | (0b10 << 62) | b
}

/// The inverse of [`expand`].
fn compact(id: u128) -> u128 {
    let time = id >> 80;
    let a = (id >> 64) & 0xfff;
    let b = id & ((1 << 62) - 1);
    (time << FREE_BITS) | (a << 62) | b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_uuid_of_version_seven_with_its_time() {
        let id = EventIds::default().next(Timestamp::from_micros(1_763_631_026_123_456), [0xff; 16]);
        let uuid = Uuid::from_u128(id.as_u128());
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(uuid.get_timestamp().map(|t| t.to_unix()), Some((1_763_631_026, 123_000_000)));
    }

    #[test]
    fn grows_when_the_clock_stands_still_goes_back_or_leaps() {
        let mut ids = EventIds::default();
        let mut last = EventId::default();
        let hour = 3_600_000_000;
        for (index, micros) in [9 * hour, 9 * hour, 8 * hour, 9 * hour, 8760 * hour, 9 * hour].iter().enumerate() {
            let id = ids.next(Timestamp::from_micros(*micros), [index as u8; 16]);
            assert!(id > last, "{id} after {last}");
            assert_eq!(Uuid::from_u128(id.as_u128()).get_version_num(), 7);
            last = id;
        }
        let resumed = EventIds::after(last).next(Timestamp::from_micros(0), [0; 16]);
        assert!(resumed > last);
    }

    #[test]
    fn one_id_has_one_spelling() {
        let text = "019aa0c5-6f8b-7000-8000-000000000000";
        assert_eq!(text.parse::<EventId>().map(|id| id.to_string()), Ok(text.to_owned()));
        assert!(text.to_uppercase().parse::<EventId>().is_err());
        assert!(text.replace('-', "").parse::<EventId>().is_err());
        assert!(format!("{{{text}}}").parse::<EventId>().is_err());
    }
}
