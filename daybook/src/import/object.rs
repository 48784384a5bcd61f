//! What a piece of a log becomes: a raw object of its events, and in quarantine the lines that are none.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use compactor::QuarantinedLine;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::formats::Reader;
use super::maker::{Maker, Memo};
use super::text::Piece;

/// How much of a bad line is kept, bytes.
const KEPT: usize = 8 << 10;

/// A piece, made into what is to be written.
#[derive(Debug, Default)]
pub struct Object {
    /// Requests, those that could not be read included.
    pub lines: u64,
    /// Those that are events.
    pub events: u64,
    /// Name and content of the raw object; none if there is no event.
    pub raw: Option<(String, Vec<u8>)>,
    /// Name and content of the quarantine object; none if every line is an event.
    pub quarantine: Option<(String, Vec<u8>)>,
    /// The lines in it.
    pub bad: Vec<QuarantinedLine>,
}

/// Makes a piece into objects whose names follow from their content: the same again is known by its name.
///
/// # Errors
/// They cannot be rendered.
pub fn make(maker: &Maker, mut reader: Reader, piece: &Piece, longest: usize) -> std::io::Result<Object> {
    let mut object = Object::default();
    let (mut gzip, mut hashes) = (GzEncoder::new(Vec::new(), Compression::new(1)), Sha256::new());
    let mut memo = Memo::default();
    for (number, line) in piece.numbered() {
        if line.iter().all(u8::is_ascii_whitespace) || reader.is_comment(line) {
            continue;
        }
        object.lines += 1;
        let text = String::from_utf8_lossy(line);
        let seen = match line.len() > longest {
            true => Err(format!("longer than {longest} bytes")),
            false => reader.read(&text),
        };
        match seen {
            Ok(seen) => {
                let (event, mut json) = maker.event(number, line, &seen, &mut memo).into_parts();
                json.push(b'\n');
                gzip.write_all(&json)?;
                hashes.update(event.event_hash.as_bytes());
                object.events += 1;
            }
            Err(reason) => object.bad.push(bad(maker, number, line, &reason)),
        }
    }
    let first = piece.first_line;
    if object.events > 0 {
        object.raw = Some((name(maker, first, hashes), gzip.finish()?));
    }
    if !object.bad.is_empty() {
        let (mut gzip, mut hashes) = (GzEncoder::new(Vec::new(), Compression::default()), Sha256::new());
        for line in &object.bad {
            let mut json = serde_json::to_vec(line)?;
            json.push(b'\n');
            hashes.update(&json);
            gzip.write_all(&json)?;
        }
        object.quarantine = Some((name(maker, first, hashes), gzip.finish()?));
    }
    Ok(object)
}

/// `import-<log>-<first line>-<content>`.
fn name(maker: &Maker, first_line: u64, content: Sha256) -> String {
    let log = event::sha256_hex(maker.source().as_bytes());
    format!("import-{}-{first_line:012}-{}", &log[..16], &event::hex(&content.finalize())[..16])
}

/// A bad line, masked as far as secrets show in it.
fn bad(maker: &Maker, number: u64, line: &[u8], reason: &str) -> QuarantinedLine {
    let kept = &line[..line.len().min(KEPT)];
    // Masked before it is cut: half a secret is no longer known as one.
    let text = std::str::from_utf8(line).ok().map(|text| maker.masked(text));
    let cut = line.len() > KEPT;
    let text = text.map(|text| text[..text.floor_char_boundary(KEPT)].to_owned());
    let lossy = || maker.masked(&String::from_utf8_lossy(line)) == String::from_utf8_lossy(line);
    // Bytes that are no text are kept only if no secret shows in them.
    let base64 = (text.is_none() && lossy()).then(|| STANDARD.encode(kept));
    QuarantinedLine {
        raw_object: format!("import/{}", maker.source()),
        line: number,
        reason: maker.masked(reason),
        cut: cut || (text.is_none() && base64.is_none()),
        text,
        base64,
    }
}
