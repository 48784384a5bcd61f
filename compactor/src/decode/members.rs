//! The quick way to inflate: whole members of gzip at once, into room that is there already.

use libdeflater::{DecompressionError, Decompressor, crc32};
use memchr::memmem;

use super::GZIP;

/// A member's header has at least ten bytes, its body two.
const TRAILER_FROM: usize = 12;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inflated {
    /// All members were read, and every checksum and length is right.
    Whole(usize),
    /// There is not enough room.
    NoRoom,
    /// Something is not as usual: damage, or what only the careful way understands.
    Unusual,
}

/// Inflates all members of `stored` into `room`, one behind the other.
pub(crate) fn inflate(inflater: &mut Decompressor, stored: &[u8], room: &mut [u8]) -> Inflated {
    let (mut rest, mut used) = (stored, 0);
    while !rest.is_empty() {
        let Some(free) = room.get_mut(used..) else { return Inflated::NoRoom };
        match inflate_first(inflater, rest, free) {
            Ok((end, length)) => {
                rest = &rest[end..];
                used += length;
            }
            Err(reason) => return reason,
        }
    }
    Inflated::Whole(used)
}

/// Inflates the first member of `stored` into `room`: where it ends, and how much came out of it. Or why not.
///
/// libdeflate does not say where a member ends. It ends with the checksum and the length of what came out of it: eight
/// bytes that stand nowhere else in it, but by a chance of one in 2⁶⁴. Then what follows is no member, and the careful
/// way finds out.
pub(crate) fn inflate_first(
    inflater: &mut Decompressor,
    stored: &[u8],
    room: &mut [u8],
) -> Result<(usize, usize), Inflated> {
    if !stored.starts_with(&GZIP) {
        return Err(Inflated::Unusual);
    }
    let length = inflater.gzip_decompress(stored, room).map_err(|error| match error {
        DecompressionError::InsufficientSpace => Inflated::NoRoom,
        DecompressionError::BadData => Inflated::Unusual,
    })?;
    let end = end_of_member(stored, &room[..length]).ok_or(Inflated::Unusual)?;
    Ok((end, length))
}

fn end_of_member(stored: &[u8], text: &[u8]) -> Option<usize> {
    let length = u32::try_from(text.len()).ok()?;
    let mut trailer = [0; 8];
    trailer[..4].copy_from_slice(&crc32(text).to_le_bytes());
    trailer[4..].copy_from_slice(&length.to_le_bytes());
    let found = memmem::find(stored.get(TRAILER_FROM..)?, &trailer)?;
    Some(TRAILER_FROM + found + trailer.len())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn member(text: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap()
    }

    fn check(stored: &[u8], room: usize, expect: Result<&[u8], Inflated>) {
        let mut text = vec![0; room];
        let found = inflate(&mut Decompressor::new(), stored, &mut text);
        match (found, expect) {
            (Inflated::Whole(length), Ok(expect)) => assert_eq!(&text[..length], expect),
            (found, expect) => assert_eq!(Err(found), expect),
        }
    }

    #[test]
    fn every_member_is_read() {
        let (a, b, empty) = (member(b"one\n"), member(b"two, longer\n"), member(b""));
        check(&a, 4, Ok(b"one\n"));
        check(&[&a[..], &b, &a, &a, &empty, &b].concat(), 99, Ok(b"one\ntwo, longer\none\none\ntwo, longer\n"));
        check(&empty, 0, Ok(b""));
        check(b"", 0, Ok(b""));
    }

    #[test]
    fn what_is_not_whole_is_never_taken_for_whole() {
        let (a, b) = (member(b"one\n"), member(b"two\n"));
        check(&a, 3, Err(Inflated::NoRoom));
        let both = [&a[..], &b].concat();
        for cut in (1..both.len()).filter(|cut| *cut != a.len()) {
            check(&both[..cut], 99, Err(Inflated::Unusual));
        }
        for place in 0..both.len() * 8 {
            let mut flipped = both.clone();
            flipped[place / 8] ^= 1 << (place % 8);
            let mut text = vec![0; 99];
            if let Inflated::Whole(length) = inflate(&mut Decompressor::new(), &flipped, &mut text) {
                // Time, system and hints of a header mean nothing.
                assert_eq!(&text[..length], b"one\ntwo\n", "bit {place}");
            }
        }
        check(&[&a[..], b"\0\0\0"].concat(), 99, Err(Inflated::Unusual));
    }
}
