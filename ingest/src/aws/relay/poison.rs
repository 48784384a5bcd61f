//! A record that cannot be relayed, as it lies in quarantine.

use std::io::Write;

use bytes::Bytes;
use event::{Timestamp, key, sha256_hex};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::batch::{Batch, Change};
use crate::error::{Error, ErrorKind, Result};

/// An object of one line.
#[derive(Debug)]
pub struct Object {
    pub key: String,
    pub body: Bytes,
}

/// The line: the same fields that the compactor's quarantine has, so that one reader reads both.
#[derive(Serialize)]
struct Line<'a> {
    raw_object: &'a str,
    line: usize,
    reason: &'a str,
    sequence_number: &'a str,
    text: &'a str,
}

/// The object of a record. Its name is the record's, whenever it comes again: it is kept once a day.
pub fn object(batch: &Batch, change: &Change, reason: &str, now: Timestamp) -> Result<Object> {
    let failed = |error| Error::new(ErrorKind::Unavailable, "writing a record down for quarantine").with_source(error);
    let line = Line {
        raw_object: &batch.stream,
        line: change.number,
        reason,
        sequence_number: &change.sequence,
        text: &change.record,
    };
    let mut text = serde_json::to_vec(&line).map_err(std::io::Error::from).map_err(failed)?;
    text.push(b'\n');
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&text).map_err(failed)?;
    let name = format!("relay-{}", &sha256_hex(change.record.as_bytes())[..32]);
    Ok(Object { key: key::quarantine(now, &name), body: Bytes::from(gzip.finish().map_err(failed)?) })
}
