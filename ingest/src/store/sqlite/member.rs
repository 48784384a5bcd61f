//! One batch of lines as one gzip member (RFC 1952) that says its own size.
//!
//! Members can be concatenated to a valid gzip file. As in BGZF, an extra field holds the member's size, so that a
//! reader can jump from member to member and inflate them in parallel.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::DeflateEncoder;

use crate::error::{Error, ErrorKind, Result};

/// The extra field's id, and its length: four bytes, the member's size in bytes, little-endian.
const FIELD_ID: [u8; 2] = *b"DB";
/// Ten fixed bytes, the extra fields' length, the field's id and length, the size.
const HEADER: usize = 10 + 2 + 4 + 4;

/// All of the header but the size.
const FIXED: [u8; HEADER - 4] = [
    // ID1, ID2, deflate, FEXTRA, no time, no extra flags, unknown system.
    0x1f,
    0x8b,
    8,
    4,
    0,
    0,
    0,
    0,
    0,
    255, //
    8,
    0,
    FIELD_ID[0],
    FIELD_ID[1],
    4,
    0,
];

/// Makes members, one after the other, of lines that come in parts. Keeps what compressing works with: 0.4 MB, which would
/// be allocated for each, and most of it cleared.
#[derive(Debug)]
pub struct Compressor {
    /// Has written the header, but for the size, once it has taken anything in.
    encoder: DeflateEncoder<Vec<u8>>,
    checksum: crc32fast::Hasher,
    inflated: usize,
}

impl Default for Compressor {
    fn default() -> Self {
        let encoder = DeflateEncoder::new(Vec::new(), Compression::new(1));
        Self { encoder, checksum: crc32fast::Hasher::new(), inflated: 0 }
    }
}

impl Compressor {
    /// Takes in more lines of the member under way, each of which ends with a line feed.
    ///
    /// # Errors
    /// The encoder's; what was taken in is forgotten.
    pub fn take(&mut self, lines: &[u8]) -> Result<()> {
        self.begin();
        self.checksum.update(lines);
        self.inflated += lines.len();
        let taken = self.encoder.write_all(lines);
        taken.map_err(|error| self.failed(error))
    }

    /// The member of all that was taken in.
    ///
    /// # Errors
    /// It does not fit in 4 GiB; what was taken in is forgotten.
    pub fn finish(&mut self) -> Result<Vec<u8>> {
        self.begin();
        let mut member = self.encoder.reset(Vec::new()).map_err(|error| self.failed(error))?;
        member.extend_from_slice(&std::mem::take(&mut self.checksum).finalize().to_le_bytes());
        // Both sizes are modulo 2^32 by the format; batches are bounded far below it.
        let inflated = u32::try_from(std::mem::take(&mut self.inflated) & 0xffff_ffff).unwrap_or(u32::MAX);
        member.extend_from_slice(&inflated.to_le_bytes());
        let size = u32::try_from(member.len())
            .map_err(|error| Error::new(ErrorKind::Unavailable, "a batch over 4 GiB").with_source(error))?;
        member[HEADER - 4..HEADER].copy_from_slice(&size.to_le_bytes());
        Ok(member)
    }

    /// Forgets what it has taken in.
    pub fn clear(&mut self) {
        if !self.encoder.get_ref().is_empty() {
            *self = Self::default();
        }
    }

    fn begin(&mut self) {
        let out = self.encoder.get_mut();
        if out.is_empty() {
            out.extend_from_slice(&FIXED);
            out.extend_from_slice(&[0; 4]);
        }
    }

    fn failed(&mut self, error: std::io::Error) -> Error {
        self.clear();
        Error::new(ErrorKind::Unavailable, "compressing a batch").with_source(error)
    }
}

/// Compresses lines, each of which ends with a line feed, on its own.
///
/// # Errors
/// They do not fit in 4 GiB.
pub fn compress(lines: &[u8]) -> Result<Vec<u8>> {
    let mut compressor = Compressor::default();
    compressor.take(lines)?;
    compressor.finish()
}

/// Whether a member's header is the one that [`compress`] makes. No checksum of gzip's covers it.
pub fn is_own(member: &[u8]) -> bool {
    let size = u32::try_from(member.len()).unwrap_or(u32::MAX);
    member.len() >= HEADER && member[..HEADER - 4] == FIXED && member[HEADER - 4..HEADER] == size.to_le_bytes()
}

/// Inflates one member or several, checking every checksum.
pub fn inflate(member: &[u8]) -> Result<Vec<u8>> {
    let mut lines = Vec::with_capacity(member.len() * 4);
    MultiGzDecoder::new(member)
        .read_to_end(&mut lines)
        .map_err(|error| Error::new(ErrorKind::Corrupt, "a stored batch is damaged").with_source(error))?;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_say_their_size_and_can_be_concatenated() {
        let (a, b) = (compress(b"{\"a\":1}\n").unwrap(), compress(b"{\"b\":2}\n{\"c\":3}\n").unwrap());
        for member in [&a, &b] {
            let size = u32::from_le_bytes(member[16..20].try_into().unwrap());
            assert_eq!(size as usize, member.len());
        }
        assert_eq!(inflate(&[a, b].concat()).unwrap(), b"{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
    }

    #[test]
    fn each_of_a_compressors_members_stands_on_its_own() {
        let mut compressor = Compressor::default();
        let long = (0..4_000).flat_map(|number| format!("{{\"number\":{number}}}\n").into_bytes()).collect::<Vec<_>>();
        for lines in [b"{\"a\":1}\n".as_slice(), &long, b"{\"a\":1}\n", b"", &long] {
            compressor.take(lines).unwrap();
            let member = compressor.finish().unwrap();
            assert_eq!(member, compress(lines).unwrap());
            assert!(is_own(&member));
            assert_eq!(inflate(&member).unwrap(), lines);
        }
    }

    #[test]
    fn lines_come_in_parts_and_are_forgotten_if_need_be() {
        let mut compressor = Compressor::default();
        let lines = b"{\"number\":1}\n".repeat(4_000);
        for part in [1, 100, 40_000] {
            compressor.take(b"{\"nobody's\":true}\n").unwrap();
            compressor.clear();
            lines.chunks(part).for_each(|lines| compressor.take(lines).unwrap());
            let member = compressor.finish().unwrap();
            assert!(is_own(&member));
            assert_eq!(inflate(&member).unwrap(), lines);
        }
        assert_eq!(inflate(&compressor.finish().unwrap()).unwrap(), b"");
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let member = compress(&b"{\"a\":\"some text that is long enough\"}\n".repeat(9)).unwrap();
        for at in HEADER..member.len() {
            let mut damaged = member.clone();
            damaged[at] ^= 4;
            assert!(inflate(&damaged).is_err(), "byte {at}");
        }
        assert!(inflate(&member[..member.len() - 1]).is_err());
    }
}
