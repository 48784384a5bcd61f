//! The text of a log: a file or standard input, plain, gzip or zstd, in pieces of whole lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use memchr::memchr;

/// A piece ends with the line that brings it to so many lines …
const LINES: u64 = 16_384;
/// … or to so many bytes.
const BYTES: usize = 16 << 20;

/// Whole lines of a log.
#[derive(Debug, Default)]
pub struct Piece {
    /// Number of its first line, from 1.
    pub first_line: u64,
    /// Its lines, each with its end; the last of a log may lack one.
    pub text: Vec<u8>,
    /// How many they are.
    pub lines: u64,
}

/// A log that is being read. Memory: a piece, whatever the lines.
pub struct Text {
    reader: Box<dyn BufRead + Send>,
    line: u64,
    longest: usize,
    /// Bytes of the file that were read, compressed as they may be.
    read: Arc<AtomicU64>,
}

impl Text {
    /// Opens a file, or standard input for `-`. A line keeps at most `longest` bytes and one.
    ///
    /// # Errors
    /// It cannot be opened or read.
    pub fn open(path: &Path, longest: usize) -> io::Result<Self> {
        let input: Box<dyn Read + Send> =
            if path.as_os_str() == "-" { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
        Self::of(input, longest)
    }

    fn of(input: Box<dyn Read + Send>, longest: usize) -> io::Result<Self> {
        let read = Arc::new(AtomicU64::new(0));
        let mut input = Counted { input, read: Arc::clone(&read) };
        let mut head = Vec::with_capacity(4);
        input.by_ref().take(4).read_to_end(&mut head)?;
        let is = |magic: &[u8]| head.starts_with(magic);
        let (is_gzip, is_zstd) = (is(&[0x1f, 0x8b]), is(&[0x28, 0xb5, 0x2f, 0xfd]));
        let whole = BufReader::with_capacity(1 << 17, Cursor::new(head).chain(input));
        let reader: Box<dyn BufRead + Send> = match (is_gzip, is_zstd) {
            (true, _) => Box::new(BufReader::with_capacity(1 << 17, MultiGzDecoder::new(whole))),
            (_, true) => Box::new(BufReader::with_capacity(1 << 17, zstd::Decoder::with_buffer(whole)?)),
            _ => Box::new(whole),
        };
        Ok(Self { reader, line: 1, longest, read })
    }

    /// How many bytes of the file were read so far; shared, so that a bar can follow.
    pub fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// The number of the line after the last piece.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next piece, and whether there may be more. The same log has the same pieces, whatever it is compressed with.
    ///
    /// An error says that what comes behind the piece cannot be read; the piece is whole lines all the same.
    pub fn next(&mut self) -> (Piece, io::Result<bool>) {
        let mut piece = Piece { first_line: self.line, ..Piece::default() };
        let mut more = Ok(true);
        while matches!(more, Ok(true)) && piece.lines < LINES && piece.text.len() < BYTES {
            let start = piece.text.len();
            more = self.next_line(&mut piece.text);
            match more {
                Ok(true) => piece.lines += 1,
                // Half a line is none.
                _ => piece.text.truncate(start),
            }
        }
        self.line += piece.lines;
        (piece, more)
    }

    /// Appends a line, cut to the longest that there may be; `false` at the end.
    fn next_line(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let (start, mut any) = (out.len(), false);
        loop {
            let bytes = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                bytes => bytes?,
            };
            if bytes.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = memchr(b'\n', bytes);
            let taken = end.map_or(bytes.len(), |end| end + 1);
            let room = (self.longest + 1).saturating_sub(out.len() - start);
            out.extend_from_slice(&bytes[..end.unwrap_or(bytes.len()).min(room)]);
            self.reader.consume(taken);
            if end.is_some() {
                out.push(b'\n');
                return Ok(true);
            }
        }
    }
}

/// Counts what is read.
struct Counted {
    input: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Piece {
    /// Its lines with their numbers, without their ends.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let text = self.text.strip_suffix(b"\n").unwrap_or(&self.text);
        let lines = text.split(|byte| *byte == b'\n').take(if self.lines == 0 { 0 } else { usize::MAX });
        (self.first_line..).zip(lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn pieces(bytes: Vec<u8>, longest: usize) -> (Vec<Piece>, Option<io::Error>) {
        let mut text = Text::of(Box::new(Cursor::new(bytes)), longest).unwrap();
        let mut pieces = Vec::new();
        loop {
            let (piece, more) = text.next();
            pieces.push(piece);
            match more {
                Ok(true) => {}
                Ok(false) => return (pieces, None),
                Err(error) => return (pieces, Some(error)),
            }
        }
    }

    fn lines(pieces: &[Piece]) -> Vec<(u64, String)> {
        let text = |(number, line): (u64, &[u8])| (number, String::from_utf8_lossy(line).into_owned());
        pieces.iter().flat_map(|piece| piece.numbered().map(text).collect::<Vec<_>>()).collect()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn plain_gzip_and_zstd_are_one_text() {
        let text: String = (1..=40_000).map(|number| format!("line {number}\r\n")).collect();
        let text = format!("{text}\nlast");
        let (plain, _) = pieces(text.clone().into_bytes(), 99);
        let (half, rest) = text.split_at(1_000);
        let members = [gzip(half.as_bytes()), gzip(rest.as_bytes())].concat();
        let (gzipped, _) = pieces(members, 99);
        let (zstd, _) = pieces(zstd::encode_all(text.as_bytes(), 1).unwrap(), 99);
        let all = lines(&plain);
        assert_eq!(
            (all.len(), &all[39_999], &all[40_000]),
            (40_002, &(40_000, "line 40000".into()), &(40_001, String::new()))
        );
        assert_eq!(all[40_001], (40_002, "last".into()));
        assert_eq!((lines(&gzipped), lines(&zstd)), (all.clone(), all));
        assert_eq!(plain.iter().map(|piece| piece.lines).collect::<Vec<_>>(), [LINES, LINES, 40_002 - 2 * LINES]);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_whole() {
        let (pieces, _) = pieces(format!("{}\nb\n", "a".repeat(1 << 20)).into_bytes(), 9);
        assert_eq!(lines(&pieces), [(1, "a".repeat(10)), (2, "b".to_owned())]);
    }

    #[test]
    fn damage_is_an_error_behind_whole_lines() {
        let text: String = (1..=9_000).map(|number| format!("line {}\n", number * 7_919 % 9_001)).collect();
        let whole = gzip(text.as_bytes());
        let (pieces, error) = pieces(whole[..whole.len() / 2].to_vec(), 99);
        assert!(error.is_some());
        let lines = lines(&pieces);
        assert!(!lines.is_empty() && lines.len() < 9_000);
        assert!(text.starts_with(&lines.iter().map(|(_, line)| format!("{line}\n")).collect::<String>()));
    }

    #[test]
    fn nothing_is_no_line() {
        assert!(lines(&pieces(Vec::new(), 9).0).is_empty());
        assert_eq!(lines(&pieces(b"\n".to_vec(), 9).0), [(1, String::new())]);
    }
}
