//! Where a body in chunks ends (RFC 9112, 7.1), byte by byte and by the letter.

/// Most bytes of one line that says a chunk's size, and of all trailer fields together.
const MAX_LINE: u64 = 4 << 10;

/// Follows the framing of a body in chunks; the bytes themselves go on as they are.
#[derive(Debug)]
pub(super) struct Chunks {
    at: At,
    /// Of the chunk: bytes to come.
    rest: u64,
    /// Of the line or the trailer: bytes so far.
    line: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// The first digit of a size.
    Size,
    /// A further digit, or what ends the number.
    Digits,
    Extension,
    SizeEnd,
    Data,
    DataCr,
    DataLf,
    /// The first byte of a trailer line.
    Trailer,
    TrailerField,
    TrailerEnd,
    LastLf,
    End,
}

/// The framing is not that of chunks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl Chunks {
    pub(super) fn new() -> Self {
        Self { at: At::Size, rest: 0, line: 0 }
    }

    /// Whether the body has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.at == At::End
    }

    /// How many of these bytes belong to the body: all of them, unless it ends among them.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let mut index = 0;
        while index < bytes.len() && self.at != At::End {
            if self.at == At::Data {
                let here = self.rest.min((bytes.len() - index) as u64);
                self.rest -= here;
                index += usize::try_from(here).unwrap_or(usize::MAX);
                if self.rest == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            self.at = self.step(bytes[index])?;
            index += 1;
        }
        Ok(index)
    }

    fn step(&mut self, byte: u8) -> Result<At, Broken> {
        self.line += 1;
        if self.line > MAX_LINE {
            return Err(Broken);
        }
        Ok(match (self.at, byte) {
            (At::Size | At::Digits, digit) if digit.is_ascii_hexdigit() => {
                let value = char::from(digit).to_digit(16).map_or(0, u64::from);
                // A size over 2^60 is none.
                self.rest = self.rest.checked_mul(16).filter(|size| *size < 1 << 60).ok_or(Broken)? + value;
                At::Digits
            }
            (At::Digits, b';') => At::Extension,
            (At::Digits | At::Extension, b'\r') => At::SizeEnd,
            (At::Extension, b'\t' | b' '..=b'~' | 0x80..) => At::Extension,
            (At::SizeEnd, b'\n') => {
                self.line = 0;
                if self.rest == 0 { At::Trailer } else { At::Data }
            }
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => {
                self.line = 0;
                At::Size
            }
            (At::Trailer, b'\r') => At::LastLf,
            (At::Trailer, b'!'..=b'~') | (At::TrailerField, b'\t' | b' '..=b'~' | 0x80..) => At::TrailerField,
            (At::TrailerField, b'\r') => At::TrailerEnd,
            (At::TrailerEnd, b'\n') => At::Trailer,
            (At::LastLf, b'\n') => At::End,
            _ => return Err(Broken),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &[u8], expect: Result<usize, Broken>) {
        let mut chunks = Chunks::new();
        assert_eq!(chunks.follow(body), expect, "{}", body.escape_ascii());
        // However it is cut.
        let mut piecewise = Chunks::new();
        let taken: Result<Vec<usize>, Broken> = body.chunks(1).map(|byte| piecewise.follow(byte)).collect();
        assert_eq!(taken.map(|taken| taken.iter().sum()), expect, "{}", body.escape_ascii());
        assert_eq!(chunks.has_ended(), piecewise.has_ended());
    }

    #[test]
    fn bodies_end_where_they_end() {
        check(b"0\r\n\r\nGET", Ok(5));
        check(b"5\r\nab\r\nc\r\n0\r\n\r\n", Ok(15));
        check(b"00a;x=\"y\"\r\n0123456789\r\n0\r\na: b\r\nc:d\r\n\r\nPOST", Ok(39));
        check(b"5\r\nab", Ok(5));
        assert!(!Chunks::new().has_ended());
    }

    #[test]
    fn what_is_not_by_the_letter_is_broken() {
        for body in [
            &b"\r\n"[..],
            b"5 \r\n",
            b"5\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x5\r\n",
            b";\r\n",
            b"1\r\nab",
            b"1\r\na\n",
            b"1\r\na\r\r",
            b"1;\0\r\n",
            b"1;\n",
            b"0\r\n a\r\n",
            b"0\r\na\nb",
            b"0\r\n\rx",
            b"fffffffffffffffff\r\n",
            b"1000000000000000\r\n",
        ] {
            check(body, Err(Broken));
        }
        check(format!("1;{}\r\n", "a".repeat(5_000)).as_bytes(), Err(Broken));
        check(format!("0\r\n{}\r\n", "a:b\r\n".repeat(1_000)).as_bytes(), Err(Broken));
        check(format!("{}1\r\n", "0".repeat(5_000)).as_bytes(), Err(Broken));
    }
}
