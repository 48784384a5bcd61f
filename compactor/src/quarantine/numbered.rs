//! Lines of a raw object together with their numbers, as quarantine counts them.

use std::io::{self, BufRead, BufReader, Cursor};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;

use super::{QUARANTINE_REASON_DAMAGED, QuarantinedLine};
use crate::decode::{Limits, each_line};
use crate::error::{Error, Result};
use crate::raw::{RawLog, RawObject};

/// Some lines of an object as it is now: compressed, since a small object can inflate to millions of them (I9).
#[derive(Debug, Default)]
pub(super) struct Numbered {
    gzip: Vec<u8>,
    /// Whether the object can be read only up to a point.
    pub(super) damaged: bool,
}

/// Reads the lines of an object that are `wanted`; lines that are too long and the point of damage are always among
/// them, as cut as they would be in quarantine.
///
/// # Errors
/// The object could not be read. Damage is a value.
pub(super) async fn numbered(
    raw: &Arc<dyn RawLog>,
    object: &RawObject,
    limits: Limits,
    mut wanted: impl FnMut(&[u8]) -> bool + Send + 'static,
) -> Result<Numbered> {
    // What is refused is kept with its number: that is what quarantine is for.
    let refuse = move |(): &mut (), line: &[u8]| if wanted(line) { Err(String::new()) } else { Ok(()) };
    let ((), decoded) = each_line(raw, object, limits, (), refuse).await?;
    let gzip = decoded.bad.gzip.map_or_else(|| Ok(Vec::new()), flate2::write::GzEncoder::finish);
    let gzip = gzip.map_err(Error::raw(format!("read {}", object.key)))?;
    Ok(Numbered { gzip, damaged: decoded.damaged })
}

impl Numbered {
    /// The lines in their order.
    ///
    /// # Errors
    /// None that is known: they were written to memory by this crate.
    pub(super) fn lines(self) -> impl Iterator<Item = io::Result<QuarantinedLine>> {
        let text = (!self.gzip.is_empty()).then(|| BufReader::new(GzDecoder::new(Cursor::new(self.gzip))));
        text.into_iter().flat_map(BufRead::lines).map(|line| Ok(serde_json::from_str(&line?)?))
    }
}

impl QuarantinedLine {
    /// Whether the line says that the rest of its object could not be read.
    pub fn is_damage(&self) -> bool {
        self.reason.starts_with(QUARANTINE_REASON_DAMAGED)
    }

    /// The line's bytes, or as many of them as were kept.
    pub fn content(&self) -> Vec<u8> {
        match (&self.text, &self.base64) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).unwrap_or_else(|_| base64.clone().into_bytes()),
            (None, None) => Vec::new(),
        }
    }
}
