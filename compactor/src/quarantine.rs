//! Lines that are no events: kept with their object, line number and reason, never dropped.

mod numbered;
mod retry;

use std::io::{self, Read, Write};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use event::{Timestamp, key};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::raw::RawLog;

pub use retry::{Retry, Verdict, Written};

/// What the reason begins with when the rest of an object could not be read.
pub const QUARANTINE_REASON_DAMAGED: &str = "the object cannot be read from here on";

/// A line that is no event, while its object is being decoded.
#[derive(Debug)]
pub(crate) struct BadLine {
    pub(crate) line: u64,
    pub(crate) reason: String,
    pub(crate) content: Vec<u8>,
    /// Whether `content` is only the beginning.
    pub(crate) cut: bool,
}

/// One line of a quarantine object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedLine {
    /// Key of the raw object that it stands in.
    pub raw_object: String,
    /// Its number there, from 1.
    pub line: u64,
    /// Why it is no event.
    pub reason: String,
    /// Whether the content is only the line's beginning; the raw object has the rest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// The line, if it is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The line in base64, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

impl QuarantinedLine {
    fn new(raw_object: &str, bad: &BadLine) -> Self {
        let text = std::str::from_utf8(&bad.content).ok();
        Self {
            raw_object: raw_object.to_owned(),
            line: bad.line,
            reason: bad.reason.clone(),
            cut: bad.cut,
            text: text.map(str::to_owned),
            base64: text.is_none().then(|| STANDARD.encode(&bad.content)),
        }
    }
}

/// The key of the quarantine object of a raw object: the same one for every run, so that a repeated run adds nothing.
pub(crate) fn quarantine_key(raw_object: &str) -> String {
    let day = key::arrival_day(raw_object).and_then(|day| Timestamp::parse(&format!("{day}T00:00:00Z")).ok());
    let name = raw_object.rsplit('/').next().unwrap_or_default();
    let stem: String = name
        .trim_end_matches(".gz")
        .trim_end_matches(".ndjson")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' })
        .take(80)
        .collect();
    let hash = event::sha256_hex(raw_object.as_bytes());
    key::quarantine(day.unwrap_or_default(), &format!("{stem}-{}", &hash[..16]))
}

/// An object's bad lines, as they will lie in quarantine: compressed while they are found, since a small object can
/// inflate to millions of them (I9).
#[derive(Debug)]
pub(crate) struct BadLines {
    raw_object: String,
    count: u64,
    /// `None` while there are none: most objects have none.
    gzip: Option<GzEncoder<Vec<u8>>>,
}

impl BadLines {
    /// None yet, of this raw object.
    pub(crate) fn new(raw_object: &str) -> Self {
        Self { raw_object: raw_object.to_owned(), count: 0, gzip: None }
    }

    /// Adds one.
    pub(crate) fn push(&mut self, bad: &BadLine) -> io::Result<()> {
        let gzip = self.gzip.get_or_insert_with(|| GzEncoder::new(Vec::new(), Compression::default()));
        serde_json::to_writer(&mut *gzip, &QuarantinedLine::new(&self.raw_object, bad))?;
        gzip.write_all(b"\n")?;
        self.count += 1;
        Ok(())
    }
}

/// Bad lines as a member of gzip, and how many they are.
#[derive(Debug, Default)]
pub(crate) struct BadMember {
    pub(crate) count: u64,
    bytes: Vec<u8>,
}

impl BadMember {
    /// Its size.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Adds more of the same object's.
    pub(crate) fn append(&mut self, more: Self) {
        self.count += more.count;
        self.bytes.extend_from_slice(&more.bytes);
    }
}

impl BadLines {
    /// Them as they will lie in quarantine.
    ///
    /// # Errors
    /// They cannot be rendered.
    pub(crate) fn finish(self) -> Result<BadMember> {
        let rendered = self.gzip.map_or(Ok(Vec::new()), GzEncoder::finish);
        let bytes = rendered.map_err(Error::raw(format!("render the quarantine of {}", self.raw_object)))?;
        Ok(BadMember { count: self.count, bytes })
    }
}

/// Keeps an object's bad lines; durable when it returns.
///
/// # Errors
/// They could not be kept; then the object must not count as consumed.
pub(crate) async fn keep(raw: &Arc<dyn RawLog>, raw_object: &str, bad: BadMember) -> Result<()> {
    if bad.count == 0 {
        return Ok(());
    }
    raw.quarantine(&quarantine_key(raw_object), Bytes::from(bad.bytes)).await
}

/// Reads a quarantine object.
///
/// # Errors
/// It cannot be read, or was not written by this crate.
pub async fn read_quarantine(raw: &Arc<dyn RawLog>, key: &str) -> Result<Vec<QuarantinedLine>> {
    let reader = raw.open(key).await?;
    let key = key.to_owned();
    let read = move || {
        let mut text = String::new();
        MultiGzDecoder::new(reader).read_to_string(&mut text)?;
        text.lines().map(serde_json::from_str).collect::<std::result::Result<Vec<_>, _>>().map_err(io::Error::from)
    };
    let stopped = |stopped| Error::caused(ErrorKind::Stopped, "read the quarantine", stopped);
    tokio::task::spawn_blocking(read).await.map_err(stopped)?.map_err(Error::raw(format!("read {key}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_has_one_key() {
        let check = |raw: &str, expect: &str| assert_eq!(quarantine_key(raw), expect);
        check("raw/dt=2026-11-20/hour=09/1-2.ndjson.gz", "quarantine/dt=2026-11-20/1-2-5569bd6280f2270e.ndjson.gz");
        check("raw/fallback/a b.gz", "quarantine/dt=1970-01-01/a_b-28e34d624f12be8a.ndjson.gz");
    }

    #[test]
    fn millions_of_bad_lines_take_little_memory() {
        let mut bad = BadLines::new("raw/a");
        let line = BadLine { line: 7, reason: "no".repeat(40), content: b"x".to_vec(), cut: false };
        (0..100_000).for_each(|_| bad.push(&line).unwrap());
        let held = bad.gzip.as_ref().unwrap().get_ref().len();
        assert!(bad.count == 100_000 && held < 1 << 20, "{held} bytes");
    }

    #[test]
    fn golden() {
        let bad = |content: &[u8], cut| BadLine { line: 7, reason: "no".to_owned(), content: content.to_vec(), cut };
        let line = |bad: &BadLine| serde_json::to_string(&QuarantinedLine::new("raw/a", bad)).unwrap();
        assert_eq!(line(&bad(b"x\n", false)), r#"{"raw_object":"raw/a","line":7,"reason":"no","text":"x\n"}"#);
        assert_eq!(
            line(&bad(b"\xff", true)),
            r#"{"raw_object":"raw/a","line":7,"reason":"no","cut":true,"base64":"/w=="}"#
        );
    }
}
