//! Where the fields of a line stand, if it is written as every line of ours is: the quick way to read it.
//!
//! A line with spaces, fields in another order, unknown or doubled fields, nulls, unusual numbers or escapes has no
//! tokens here; `Event::from_line` reads it. A line that has tokens is read by both to the same values.

use std::ops::Range;

use event::{COLUMNS, Column, ColumnType, LINE_COLUMNS, Timestamp};
use memchr::memchr2;

/// A field of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Token {
    /// It is not there.
    #[default]
    Absent,
    /// A string as it stands there.
    Plain(u32, u32),
    /// A string with escapes of one character, and the place in [`Tokens::escapes`] of the first of them.
    Escaped(u32, u32, u32),
    /// An integer, or a time in microseconds.
    Integer(i64),
    Double(f64),
    Truth(bool),
}

/// The fields of a line in the order of the columns.
#[derive(Debug)]
pub(super) struct Tokens {
    names: Vec<Name>,
    fields: [Token; LINE_COLUMNS],
    /// Where the backslashes of the line are.
    escapes: Vec<u32>,
}

/// A field's name as it stands in a line: `"name":`.
#[derive(Debug)]
struct Name {
    text: Vec<u8>,
    words: [u64; NAME_WORDS],
    masks: [u64; NAME_WORDS],
}

/// No name is longer.
const NAME_WORDS: usize = 4;

impl Name {
    fn new(column: &Column) -> Self {
        let text = format!("\"{}\":", column.name).into_bytes();
        let mut padded = [0; NAME_WORDS * 8];
        let mut mask = [0; NAME_WORDS * 8];
        padded[..text.len()].copy_from_slice(&text);
        mask[..text.len()].fill(0xff);
        Self { text, words: words(&padded), masks: words(&mask) }
    }

    /// Whether a line goes on with it. Names are compared by words: a call for each of fifty would cost more than the
    /// comparison.
    fn begins(&self, rest: &[u8]) -> bool {
        match rest.first_chunk() {
            Some(window) => {
                let found = words(window).into_iter().zip(self.words).zip(self.masks);
                found.fold(0, |differ, ((found, name), mask)| differ | ((found ^ name) & mask)) == 0
            }
            None => rest.starts_with(&self.text),
        }
    }
}

fn words(bytes: &[u8; NAME_WORDS * 8]) -> [u64; NAME_WORDS] {
    let mut words = [0; NAME_WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

impl Default for Tokens {
    fn default() -> Self {
        let names = COLUMNS[..LINE_COLUMNS].iter().map(Name::new).collect();
        Self { names, fields: [Token::Absent; LINE_COLUMNS], escapes: Vec::new() }
    }
}

impl Tokens {
    pub(super) fn fields(&self) -> &[Token; LINE_COLUMNS] {
        &self.fields
    }

    /// Reads a line; `None` if it is not written in the usual way, and the fields are worth nothing.
    pub(super) fn read(&mut self, line: &str) -> Option<()> {
        let bytes = line.as_bytes();
        // Without control characters there are no ends of lines and no raw tabs within strings, which JSON forbids.
        if bytes.iter().fold(false, |any, byte| any | (*byte < b' ')) {
            return None;
        }
        self.escapes.clear();
        let mut next = Cursor { line, bytes, at: 0, escapes: &mut self.escapes };
        next.skip(b'{')?;
        let mut column = 0;
        loop {
            while !next.skip_name(self.names.get(column)?) {
                leave_out(&mut self.fields, column)?;
                column += 1;
            }
            let value = next.value(column)?;
            *self.fields.get_mut(column)? = value;
            column += 1;
            if next.skip(b',').is_none() {
                next.skip(b'}')?;
                break;
            }
        }
        (next.at == bytes.len()).then_some(())?;
        (column..LINE_COLUMNS).try_for_each(|column| leave_out(&mut self.fields, column))
    }

    /// The text of an escaped string of the line, piece by piece.
    pub(super) fn unescaped<'a>(&self, line: &'a str, token: (u32, u32, u32), mut piece: impl FnMut(&'a str)) {
        let (mut start, end, first) = token;
        for escape in self.escapes[first as usize..].iter().take_while(|escape| **escape < end) {
            piece(&line[start as usize..*escape as usize]);
            let letter = *escape as usize + 1;
            piece(unescape(&line[letter..=letter]).unwrap_or_default());
            start = *escape + 2;
        }
        piece(&line[start as usize..end as usize]);
    }
}

fn leave_out(fields: &mut [Token; LINE_COLUMNS], column: usize) -> Option<()> {
    fields[column] = Token::Absent;
    (!COLUMNS[column].required).then_some(())
}

struct Cursor<'a> {
    line: &'a str,
    bytes: &'a [u8],
    at: usize,
    escapes: &'a mut Vec<u32>,
}

impl Cursor<'_> {
    fn skip(&mut self, byte: u8) -> Option<()> {
        (*self.bytes.get(self.at)? == byte).then(|| self.at += 1)
    }

    fn skip_name(&mut self, name: &Name) -> bool {
        let found = self.bytes.get(self.at..).is_some_and(|rest| name.begins(rest));
        self.at += if found { name.text.len() } else { 0 };
        found
    }

    fn skip_all(&mut self, bytes: &[u8]) -> bool {
        let found = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(bytes));
        self.at += if found { bytes.len() } else { 0 };
        found
    }

    fn value(&mut self, column: usize) -> Option<Token> {
        match COLUMNS[column].kind {
            // The id's form is as much a part of its type as that of a time.
            ColumnType::String if column == 0 => {
                self.plain().filter(|range| is_id(&self.bytes[range.clone()])).map(token)
            }
            ColumnType::String => self.string(),
            ColumnType::Int => self.integer().filter(|number| i32::try_from(*number).is_ok()).map(Token::Integer),
            ColumnType::Bigint => self.integer().map(Token::Integer),
            ColumnType::Double => self.double().map(Token::Double),
            ColumnType::Boolean if self.skip_all(b"true") => Some(Token::Truth(true)),
            ColumnType::Boolean => self.skip_all(b"false").then_some(Token::Truth(false)),
            ColumnType::Timestamp => {
                let range = self.plain()?;
                Some(Token::Integer(Timestamp::parse(&self.line[range]).ok()?.micros()))
            }
        }
    }

    fn string(&mut self) -> Option<Token> {
        self.skip(b'"')?;
        let (start, first) = (self.at, self.escapes.len());
        loop {
            self.at += memchr2(b'"', b'\\', &self.bytes[self.at..])?;
            if self.bytes[self.at] == b'"' {
                break;
            }
            unescape(self.line.get(self.at + 1..self.at + 2)?)?;
            self.escapes.push(self.at as u32);
            self.at += 2;
        }
        let (start, end, is_plain) = (start as u32, self.at as u32, first == self.escapes.len());
        self.at += 1;
        Some(if is_plain { Token::Plain(start, end) } else { Token::Escaped(start, end, first as u32) })
    }

    fn plain(&mut self) -> Option<Range<usize>> {
        match self.string()? {
            Token::Plain(start, end) => Some(start as usize..end as usize),
            _ => None,
        }
    }

    /// Digits without a leading zero, few enough that no number is too large.
    fn integer(&mut self) -> Option<i64> {
        let minus = self.skip(b'-').is_some();
        let digits = self.digits();
        if !(1..=18).contains(&digits.len()) || digits[0] == b'0' && (minus || digits.len() > 1) {
            return None;
        }
        let number = digits.iter().fold(0, |number: i64, digit| number * 10 + i64::from(digit - b'0'));
        Some(if minus { -number } else { number })
    }

    fn double(&mut self) -> Option<f64> {
        let start = self.at;
        let _ = self.skip(b'-');
        let whole = self.digits();
        let mut usual = !whole.is_empty() && (whole[0] != b'0' || whole.len() == 1);
        if self.skip(b'.').is_some() {
            usual &= !self.digits().is_empty();
        }
        // Far fewer digits than would make it infinite.
        (usual && self.at - start <= 32).then(|| self.line[start..self.at].parse().ok())?
    }

    fn digits(&mut self) -> &[u8] {
        let start = self.at;
        self.at += self.bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        &self.bytes[start..self.at]
    }
}

fn token(range: Range<usize>) -> Token {
    Token::Plain(range.start as u32, range.end as u32)
}

fn is_id(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// The character that a backslash and `letter` stand for, unless it is one with a number.
fn unescape(letter: &str) -> Option<&'static str> {
    Some(match letter {
        "\"" => "\"",
        "\\" => "\\",
        "/" => "/",
        "b" => "\u{8}",
        "f" => "\u{c}",
        "n" => "\n",
        "r" => "\r",
        "t" => "\t",
        _ => return None,
    })
}
