//! What a request to `/random` asks for: its parameters, each named when it is wrong.

use std::ops::RangeInclusive;

use event::bounds::cut;
use event::domain::FieldError;

use super::{Kind, LARGEST};
use crate::http::query::Query;

/// Most values of one answer.
pub const COUNT_MAX: u64 = 100;
/// Most characters of a string.
pub const LENGTH_MAX: u64 = 1_000;
/// Most characters of an alphabet.
pub const ALPHABET_MAX: usize = 256;
/// Most entries to choose from.
pub const CHOICES_MAX: usize = 256;
/// Most errors that one answer lists, and most bytes of a name that each repeats.
const ERRORS_MAX: usize = 20;
const NAME_MAX: usize = 64;

/// Whole numbers that every JSON reader keeps exactly, and their bound as an `i64`.
pub const EXACT: RangeInclusive<i64> = -(LARGEST as i64)..=(LARGEST as i64);
/// How many characters a string has, and how many digits a hexadecimal number, unless the request says otherwise.
pub const LENGTHS: (u64, u64) = (16, 32);
/// The range of integers unless the request says otherwise.
pub const INTEGERS: (i64, i64) = (0, 100);
/// Characters of strings unless the request says otherwise.
pub const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// What an alphabet matches: no control characters, and not what stands for bytes that were no UTF-8.
pub const ALPHABET_PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f\ufffd]+$";
/// What an entry to choose from matches: the same, without commas.
pub const CHOICE_PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f\ufffd,]+$";

/// Parameters that any type takes.
const COMMON: &[&str] = &["type", "count", "seed"];
/// Parameters that only some types take.
const OWN: &[&str] = &["min", "max", "length", "alphabet", "of"];

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What kind of values.
    pub kind: Kind,
    /// How many, from 1 to 100.
    pub count: usize,
    /// What decides them; without one it is to be drawn, from 0 to [`LARGEST`].
    pub seed: Option<u64>,
}

impl Ask {
    /// Reads the parameters.
    ///
    /// # Errors
    /// Everything that is wrong with them, each by its name: unknown, of another type than the one asked for, twice,
    /// or out of its range.
    pub fn of(query: &Query) -> Result<Self, Vec<FieldError>> {
        let mut read = Parameters { query, errors: Vec::new() };
        read.refuse_others(&[COMMON, OWN].concat(), |name| format!("There is no parameter {name:?}."));
        let count = read.number("count", 1..=COUNT_MAX).unwrap_or(1);
        let seed = read.number("seed", 0..=LARGEST);
        let kind = read.kind();
        match kind {
            Some(kind) if read.errors.is_empty() => Ok(Self { kind, count: usize::try_from(count).unwrap_or(1), seed }),
            _ => Err(read.errors),
        }
    }
}

/// Parameters as they are read, and what is wrong with them so far.
struct Parameters<'a> {
    query: &'a Query,
    errors: Vec<FieldError>,
}

impl Parameters<'_> {
    fn kind(&mut self) -> Option<Kind> {
        let word = match self.text("type") {
            Some(word) => word,
            None => self.word_by_context().to_owned(),
        };
        let own: &[&str] = match word.as_str() {
            "integer" => &["min", "max"],
            "string" => &["length", "alphabet"],
            "hex" => &["length"],
            "choice" => &["of"],
            _ => &[],
        };
        if !Kind::WORDS.contains(&word.as_str()) {
            self.wrong("type", "invalid_value", format!("type must be one of {}.", Kind::WORDS.join(", ")));
            return None;
        }
        let foreign: Vec<&str> = OWN.iter().copied().filter(|name| !own.contains(name) && self.has(name)).collect();
        for name in foreign {
            self.wrong(name, "unknown", format!("The type {word} has no parameter {name}."));
        }
        match word.as_str() {
            "integer" => self.integer(),
            "float" => Some(Kind::Float),
            "boolean" => Some(Kind::Boolean),
            "uuid" => Some(Kind::Uuid),
            "string" => Some(Kind::Text { length: self.length(LENGTHS.0), alphabet: self.alphabet()? }),
            "hex" => Some(Kind::Hex { length: self.length(LENGTHS.1) }),
            "color" => Some(Kind::Color),
            "date" => Some(Kind::Date),
            "name" => Some(Kind::Name),
            _ => self.choice(),
        }
    }

    /// The type of a request that names none: the one whose parameters it has.
    fn word_by_context(&self) -> &'static str {
        if self.has("length") || self.has("alphabet") {
            "string"
        } else if self.has("of") {
            "choice"
        } else {
            "integer"
        }
    }

    fn integer(&mut self) -> Option<Kind> {
        let (min, max) = (self.number("min", EXACT), self.number("max", EXACT));
        let (min, max) = (min.unwrap_or(INTEGERS.0), max.unwrap_or(INTEGERS.1));
        // Wrong bounds are named already.
        if min > max && !self.errors.iter().any(|error| matches!(error.pointer.as_str(), "min" | "max")) {
            let (name, detail) = match self.has("min") {
                true => ("min", format!("min is {min}, above max, which is {max}.")),
                false => ("max", format!("max is {max}, below min, which is {min}.")),
            };
            self.wrong(name, "invalid_value", detail);
        }
        Some(Kind::Integer { min, max })
    }

    fn length(&mut self, default: u64) -> usize {
        let length = self.number("length", 1..=LENGTH_MAX).unwrap_or(default);
        usize::try_from(length).unwrap_or_default()
    }

    fn alphabet(&mut self) -> Option<Vec<char>> {
        let alphabet: Vec<char> = match self.text("alphabet") {
            Some(text) => text.chars().collect(),
            None => ALPHABET.chars().collect(),
        };
        if alphabet.is_empty() || alphabet.len() > ALPHABET_MAX || !alphabet.iter().copied().all(is_shown) {
            let detail =
                format!("alphabet must have 1 to {ALPHABET_MAX} characters, none of them a control character.");
            self.wrong("alphabet", "invalid_value", detail);
            return None;
        }
        Some(alphabet)
    }

    fn choice(&mut self) -> Option<Kind> {
        let Some(text) = self.text("of") else {
            if !self.has("of") {
                self.wrong("of", "missing", "of is required: what to choose from, separated by commas.".to_owned());
            }
            return None;
        };
        let of: Vec<String> = text.split(',').map(str::to_owned).collect();
        if of.len() > CHOICES_MAX || !of.iter().all(|one| !one.is_empty() && one.chars().all(is_shown)) {
            let detail = format!(
                "of must have 1 to {CHOICES_MAX} entries separated by commas, none of them empty or with a control character."
            );
            self.wrong("of", "invalid_value", detail);
            return None;
        }
        Some(Kind::Choice { of })
    }

    fn has(&self, name: &str) -> bool {
        self.query.pairs().iter().any(|(known, _)| known == name)
    }

    /// The value of a parameter; none if it is not there, or stands twice.
    fn text(&mut self, name: &str) -> Option<String> {
        match self.query.get(name) {
            Ok(value) => value.map(str::to_owned),
            Err(problem) => {
                problem.errors.into_iter().for_each(|error| self.error(error));
                None
            }
        }
    }

    /// A whole number within a range, if the parameter is there and right.
    fn number<N>(&mut self, name: &'static str, range: RangeInclusive<N>) -> Option<N>
    where
        N: std::str::FromStr + PartialOrd + std::fmt::Display,
    {
        let text = self.text(name)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let detail = format!("{name} must be a whole number from {} to {}.", range.start(), range.end());
            self.wrong(name, "invalid_value", detail);
        }
        number
    }

    fn refuse_others(&mut self, known: &[&str], detail: impl Fn(&str) -> String) {
        let others = self.query.pairs().iter().map(|(name, _)| name.as_str()).filter(|name| !known.contains(name));
        for name in others {
            let name = cut(name, NAME_MAX);
            self.wrong(name, "unknown", detail(name));
        }
    }

    fn wrong(&mut self, name: &str, code: &'static str, detail: String) {
        self.error(FieldError::parameter(name, code, detail));
    }

    fn error(&mut self, error: FieldError) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(error);
        }
    }
}

/// Whether a character may stand in an answer of plain text: bytes that were no UTF-8 are U+FFFD by now.
fn is_shown(character: char) -> bool {
    !character.is_control() && character != char::REPLACEMENT_CHARACTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_are_what_the_reader_does() {
        let [alphabet, choice] = [ALPHABET_PATTERN, CHOICE_PATTERN].map(|pattern| regex::Regex::new(pattern).unwrap());
        for letter in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = letter.to_string();
            assert_eq!(alphabet.is_match(&text), is_shown(letter), "{letter:?}");
            assert_eq!(choice.is_match(&text), is_shown(letter) && letter != ',', "{letter:?}");
        }
    }
}
