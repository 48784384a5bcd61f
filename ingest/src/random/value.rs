//! The kinds of values, and how each is drawn.

use event::Timestamp;
use serde_json::Value;

use super::generator::Generator;
use super::names::{FIRST, LAST};

/// Days from 1970-01-01 to 2099-12-31.
const DAYS: u64 = 47_482;
/// A day in microseconds.
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// What is asked for, with all that decides it but the seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A whole number from `min` to `max`, both included; `min` is not above `max`.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A number from 0 up to, not including, 1: a multiple of 2^-53.
    Float,
    /// True or false.
    Boolean,
    /// A UUID of version 4.
    Uuid,
    /// Characters of an alphabet, which is not empty.
    Text {
        /// How many.
        length: usize,
        /// Of which.
        alphabet: Vec<char>,
    },
    /// Hexadecimal digits.
    Hex {
        /// How many.
        length: usize,
    },
    /// `#rrggbb`.
    Color,
    /// A day of the years 1970 to 2099.
    Date,
    /// A first and a last name.
    Name,
    /// One of a list, which is not empty.
    Choice {
        /// The list.
        of: Vec<String>,
    },
}

impl Kind {
    /// Every kind's word, as the parameter `type` has it.
    pub const WORDS: &'static [&'static str] =
        &["integer", "float", "boolean", "uuid", "string", "hex", "color", "date", "name", "choice"];

    /// The kind's word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Integer { .. } => "integer",
            Self::Float => "float",
            Self::Boolean => "boolean",
            Self::Uuid => "uuid",
            Self::Text { .. } => "string",
            Self::Hex { .. } => "hex",
            Self::Color => "color",
            Self::Date => "date",
            Self::Name => "name",
            Self::Choice { .. } => "choice",
        }
    }

    /// The first `count` values of a seed, one after the other from one generator.
    pub fn values(&self, seed: u64, count: usize) -> Vec<Value> {
        let mut generator = Generator::of(seed);
        (0..count).map(|_| self.draw(&mut generator)).collect()
    }

    fn draw(&self, generator: &mut Generator) -> Value {
        match self {
            Self::Integer { min, max } => {
                let offset = generator.below(max.abs_diff(*min).saturating_add(1));
                Value::from(min.saturating_add_unsigned(offset))
            }
            // 53 bits: exact in a double.
            Self::Float => Value::from((generator.bits() >> 11) as f64 / (1_u64 << 53) as f64),
            Self::Boolean => Value::from(generator.bits() >> 63 == 1),
            Self::Uuid => Value::from(uuid(generator)),
            Self::Text { length, alphabet } => {
                Value::from((0..*length).filter_map(|_| generator.one_of(alphabet)).collect::<String>())
            }
            Self::Hex { length } => {
                Value::from((0..*length).map(|_| format!("{:x}", generator.below(16))).collect::<String>())
            }
            Self::Color => Value::from(format!("#{:06x}", generator.below(1 << 24))),
            Self::Date => Value::from(date(generator)),
            Self::Name => {
                let (first, last) = (generator.one_of(&FIRST), generator.one_of(&LAST));
                Value::from(format!("{} {}", first.unwrap_or(&""), last.unwrap_or(&"")))
            }
            Self::Choice { of } => generator.one_of(of).map_or(Value::Null, |one| Value::from(one.as_str())),
        }
    }
}

fn uuid(generator: &mut Generator) -> String {
    let (high, low) = (generator.bits(), generator.bits());
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    event::EventId::from_u128(u128::from(high) << 64 | u128::from(low)).to_string()
}

fn date(generator: &mut Generator) -> String {
    let day = i64::try_from(generator.below(DAYS)).unwrap_or_default();
    Timestamp::from_micros(day * DAY).day()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(alphabet: &str, length: usize) -> Kind {
        Kind::Text { length, alphabet: alphabet.chars().collect() }
    }

    /// Held for ever: people write seeds down. Computed by another program, in Python, from the words of docs/api.md.
    #[test]
    fn a_seed_gives_the_same_values_for_ever() {
        let check = |kind: Kind, expect: Value| assert_eq!(Value::from(kind.values(42, 3)), expect, "{kind:?}");
        let of = ["red", "green", "blue"].map(str::to_owned).to_vec();
        check(Kind::Integer { min: 0, max: 100 }, json!([23, 63, 43]));
        check(Kind::Integer { min: -5, max: 5 }, json!([4, 0, -3]));
        check(Kind::Float, json!([0.7415648787718233, 0.1599103928769201, 0.27860113025513866]));
        check(Kind::Boolean, json!([true, false, false]));
        check(
            Kind::Uuid,
            json!([
                "bdd73226-2feb-4e95-a8ef-e333b266f103",
                "47526757-130f-4f52-981c-e1ff0e4ae394",
                "09bc585a-2448-43f2-9e44-31fa3c80db06"
            ]),
        );
        check(text("abcé", 5), json!(["bécac", "cbabc", "éccéa"]));
        check(Kind::Hex { length: 8 }, json!(["532426d4", "5efe67c2", "5d708951"]));
        check(Kind::Color, json!(["#eb6e95", "#66f103", "#0f9f52"]));
        check(Kind::Date, json!(["2039-06-25", "2069-01-08", "2019-02-17"]));
        check(Kind::Name, json!(["Linus Bauer", "Kenji Mbeki", "Kenji Diaz"]));
        check(Kind::Choice { of }, json!(["green", "green", "red"]));
    }

    #[test]
    fn values_stay_within_their_bounds() {
        let limit = i64::try_from(super::super::LARGEST).unwrap();
        for (min, max) in [(3, 3), (-1, 1), (-limit, limit), (limit, limit), (-limit, -limit)] {
            for value in (Kind::Integer { min, max }).values(1, 500) {
                assert!((min..=max).contains(&value.as_i64().unwrap()), "{value} of {min} to {max}");
            }
        }
        assert!(Kind::Float.values(1, 500).iter().all(|value| (0.0..1.0).contains(&value.as_f64().unwrap())));
        let days: Vec<Value> = Kind::Date.values(1, 5_000);
        let (first, last) = (days.iter().map(Value::as_str).min(), days.iter().map(Value::as_str).max());
        assert!(first >= Some(Some("1970-01-01")) && last <= Some(Some("2099-12-31")), "{first:?} {last:?}");
        assert_eq!(Timestamp::from_micros((DAYS as i64 - 1) * DAY).day(), "2099-12-31");
        for name in [FIRST, LAST].concat() {
            assert!(name.chars().all(|letter| letter.is_ascii_alphabetic()), "{name}");
        }
    }
}
