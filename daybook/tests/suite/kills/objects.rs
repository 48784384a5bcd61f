//! Raw objects that arrive, in several folders at once.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use event::{Event, EventIds, Timestamp};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{Random, a_read};

/// `2020-01-01T12:00:00Z`, microseconds: days that upkeep takes for settled.
const START: i64 = 1_577_880_000_000_000;
const MINUTE: i64 = 60_000_000;

/// What arrives, and where.
pub struct Arrivals {
    random: Random,
    ids: EventIds,
    folders: Vec<PathBuf>,
    count: u64,
    /// Some of the lines so far.
    sent: Vec<Vec<u8>>,
}

impl Arrivals {
    /// Nothing yet; whatever comes follows from the seed, and comes to each of the folders.
    pub fn new(seed: u64, folders: &[&Path]) -> Self {
        let folders = folders.iter().map(|folder| folder.to_path_buf()).collect();
        Self { random: Random::new(seed), ids: EventIds::default(), folders, count: 0, sent: Vec::new() }
    }

    /// So many objects come, one after the other.
    pub fn come(&mut self, count: u64) {
        for _ in 0..count {
            let bytes = self.object();
            let arrived = Timestamp::from_micros(START + i64::try_from(self.count).unwrap() * 3 * MINUTE);
            // Keys grow: of two copies of a line, the first to come is the first in every run.
            let key = event::key::raw(arrived, &format!("{:06}", self.count));
            self.folders.iter().for_each(|folder| put(&folder.join(&key), &bytes));
            self.count += 1;
        }
    }

    /// Sound ones, each as another sender makes it; every eighth is damaged.
    fn object(&mut self) -> Vec<u8> {
        let lines = self.lines();
        match self.count % 8 {
            0 | 1 => gzip(&lines.concat()),
            2 => lines.concat().chunks(7_777).flat_map(gzip).collect(),
            3 => lines.concat(),
            4 => gzip(&[&lines.concat()[..], b"no event\n{}\n\xff"].concat()),
            5 => gzip(&self.again(&lines).concat()),
            6 => gzip(&lines.into_iter().rev().collect::<Vec<_>>().concat()),
            _ => {
                let mut whole = gzip(&lines.concat());
                let place = usize::try_from(self.random.between(20, whole.len() as u64)).unwrap();
                if self.count % 16 == 7 {
                    whole.truncate(place)
                } else {
                    whole[place] ^= 16
                }
                whole
            }
        }
    }

    /// New lines; those of every fifth object were received hours before.
    fn lines(&mut self) -> Vec<Vec<u8>> {
        let late = if self.count % 5 == 4 { 20 * 60 * MINUTE } else { 0 };
        let start = START - late + i64::try_from(self.count).unwrap() * 15 * MINUTE;
        let count = self.random.between(20, 300);
        let line =
            |index| [self.event(start + i64::try_from(index).unwrap() * 700_001).to_line(), vec![b'\n']].concat();
        let lines: Vec<_> = (0..count).map(line).collect();
        self.sent.extend(lines.iter().step_by(3).cloned());
        lines
    }

    /// The same lines, and some that were there before.
    fn again(&mut self, lines: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let any = |_| self.random.choice(&self.sent).unwrap().clone();
        let mut all: Vec<_> = (0..lines.len()).map(any).collect();
        all.extend_from_slice(lines);
        all
    }

    fn event(&mut self, received_at: i64) -> Event {
        let received_at = Timestamp::from_micros(received_at);
        let noise = [self.random.next(), self.random.next()].map(u64::to_be_bytes).concat();
        let body = format!("{{\"user_id\":\"ann\",\"message\":\"{}\"}}", event::hex(&noise));
        Event {
            event_type: "request.rejected".to_owned(),
            request_id: format!("{:x}", self.random.next()),
            method: "POST".to_owned(),
            path: "/data".to_owned(),
            request_body_encoding: "json".to_owned(),
            request_body_sha256: Some(event::sha256_hex(body.as_bytes())),
            request_body: Some(body),
            status: 401,
            ..a_read(&mut self.ids, received_at, noise.try_into().unwrap())
        }
        .sealed()
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

/// Puts a file there at once, as whoever writes a raw log must.
fn put(path: &Path, bytes: &[u8]) {
    let folder = path.parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    let aside = folder.join(".aside");
    fs::write(&aside, bytes).unwrap();
    fs::rename(aside, path).unwrap();
}
