//! Quarantined lines, tried again: by this version, with another limit, on an object that was made good since.
//!
//! What is an event now goes into the raw log as a new object, so that the next compaction brings it in as it would any
//! other line: deduplicated (I2) and counted (I7). Nothing in quarantine is changed or deleted.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use event::{Event, Timestamp, key};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::QuarantinedLine;
use super::numbered::{Numbered, numbered};
use crate::decode::{Limits, each_line};
use crate::error::{Error, ErrorKind, Result};
use crate::raw::{RawLog, RawObject};

/// What the names of the objects begin with that a retry writes.
const NAME: &str = "retry-";
/// No line of such an object is too long to be found again.
const WHOLE_LINE: usize = 1 << 30;

/// What became of a quarantined line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The line, as it lies in quarantine.
    pub line: QuarantinedLine,
    /// How many events it is now: one, or for the point where an object was damaged as many as came to light behind it.
    pub events: u64,
    /// Why it, or some of what lay behind the damage, is still none.
    pub refused: Option<String>,
}

/// Where the events of a retry are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Key of the raw object.
    pub key: String,
    /// Its lines.
    pub events: u64,
    /// Whether an earlier retry had written it already.
    pub known: bool,
}

/// Tries quarantined lines again.
#[derive(Debug)]
pub struct Retry {
    raw: Arc<dyn RawLog>,
    objects: BTreeMap<String, RawObject>,
    limits: Limits,
}

impl Retry {
    /// For lines of these quarantine objects; lists the raw log from the first of their days on.
    ///
    /// # Errors
    /// The log cannot be listed.
    pub async fn new(raw: Arc<dyn RawLog>, quarantine: &[RawObject], limits: Limits) -> Result<Self> {
        let days = quarantine.iter().filter_map(|object| quarantine_day(&object.key));
        let listed = match days.min() {
            Some(first) => raw.list(Some(first)).await?,
            None => Vec::new(),
        };
        let objects = listed.into_iter().map(|object| (object.key.clone(), object)).collect();
        Ok(Self { raw, objects, limits })
    }

    /// Tries those of `lines` again that are `wanted`; `lines` are all that quarantine holds of one raw object.
    ///
    /// A line that quarantine has whole is read from there. One that was cut, and everything from the first wanted line
    /// of a damaged object on, is read from the raw object, if that is there and sound; of an object that was ever
    /// damaged, and of what never stood in the raw log, only lines count that their own `event_hash` proves.
    ///
    /// The events are durable when this returns, in one object whose name follows from its content: the same again adds
    /// nothing. Memory: that object, compressed.
    ///
    /// # Errors
    /// The raw log could not be read or written.
    pub async fn run(
        &self,
        lines: Vec<QuarantinedLine>,
        wanted: impl Fn(&QuarantinedLine) -> bool,
        now: Timestamp,
    ) -> Result<(Vec<Verdict>, Option<Written>)> {
        let Some(source) = lines.first().map(|line| line.raw_object.clone()) else { return Ok((Vec::new(), None)) };
        let damaged = lines.iter().any(QuarantinedLine::is_damage);
        let wanted: Vec<QuarantinedLine> = lines.into_iter().filter(wanted).collect();
        if source.starts_with(key::GATEWAY) {
            let refuse = |line| Verdict { line, events: 0, refused: Some("not a line of events".to_owned()) };
            return Ok((wanted.into_iter().map(refuse).collect(), None));
        }
        let present = self.read_again(&source, &wanted, damaged).await?;
        let context = || format!("try lines of {source} again");
        let sift = {
            let proven = damaged || !source.starts_with(key::RAW);
            move || sift(wanted, present, damaged, proven)
        };
        let stopped = |stopped| Error::caused(ErrorKind::Stopped, context(), stopped);
        let (verdicts, found) =
            tokio::task::spawn_blocking(sift).await.map_err(stopped)?.map_err(Error::raw(context()))?;
        let written = match found.count {
            0 => None,
            _ => Some(self.write(&source, found, now).await?),
        };
        Ok((verdicts, written))
    }

    /// The object's own lines, as far as they are needed; `None` if it is gone or not needed.
    async fn read_again(&self, source: &str, wanted: &[QuarantinedLine], damaged: bool) -> Result<Option<Numbered>> {
        let heads: Vec<Vec<u8>> = wanted.iter().filter(|line| line.cut).map(QuarantinedLine::content).collect();
        let Some(object) = self.objects.get(source).filter(|_| damaged || !heads.is_empty()) else { return Ok(None) };
        let is_wanted = move |line: &[u8]| damaged || heads.iter().any(|head| line.starts_with(head));
        numbered(&self.raw, object, self.limits, is_wanted).await.map(Some)
    }

    async fn write(&self, source: &str, found: Found, now: Timestamp) -> Result<Written> {
        let events = found.count;
        let (name, bytes) = found.finish(source).map_err(Error::raw(format!("render a retry of {source}")))?;
        if let Some(known) = self.objects.keys().find(|known| stem(known) == name) {
            return Ok(Written { key: known.clone(), events, known: true });
        }
        let key = key::raw(now, &name);
        self.raw.add(&key, bytes).await?;
        Ok(Written { key, events, known: false })
    }

    /// For each of `lines`, all that quarantine holds of one raw object, the raw object that an earlier retry wrote it
    /// to, if there is one. Reads nothing unless the object's lines were retried before.
    ///
    /// # Errors
    /// The raw log could not be read.
    pub async fn earlier(&self, lines: &[QuarantinedLine]) -> Result<Vec<Option<String>>> {
        let mut marks = vec![None; lines.len()];
        let Some(first) = lines.first() else { return Ok(marks) };
        let beginning = beginning(&first.raw_object);
        let limits = Limits { line_bytes: WHOLE_LINE, ..self.limits };
        for object in self.objects.values().filter(|object| stem(&object.key).starts_with(&beginning)) {
            let mut sought = Sought::of(lines);
            let see = |sought: &mut Sought, line: &[u8]| {
                sought.see(line);
                Ok(())
            };
            (sought, _) = each_line(&self.raw, object, limits, sought, see).await?;
            // Of an object that was made good, every line was tried.
            let repaired = sought.more && lines.iter().any(QuarantinedLine::is_damage);
            for (mark, _) in marks.iter_mut().zip(lines).filter(|(_, line)| repaired || sought.has(line)) {
                *mark = Some(object.key.clone());
            }
        }
        Ok(marks)
    }
}

/// Decides on every line; gathers those that are events now.
fn sift(
    wanted: Vec<QuarantinedLine>,
    present: Option<Numbered>,
    damaged: bool,
    proven: bool,
) -> io::Result<(Vec<Verdict>, Found)> {
    let undecided = |line: QuarantinedLine| Verdict { line, events: 0, refused: None };
    let mut verdicts: Vec<Verdict> = wanted.into_iter().map(undecided).collect();
    verdicts.sort_by_key(|verdict| verdict.line.line);
    let found = match present {
        Some(present) if damaged && !present.damaged => of_repaired(&mut verdicts, present)?,
        present => {
            let proven = proven || present.as_ref().is_some_and(|present| present.damaged);
            one_by_one(&mut verdicts, present, proven)?
        }
    };
    Ok((verdicts, found))
}

/// An object that was damaged and is sound now: all of it from the first bad line on. Before that line everything was
/// proven where it stood; after it a damaged line feed may have shifted the numbers.
fn of_repaired(verdicts: &mut [Verdict], present: Numbered) -> io::Result<Found> {
    let places = places(verdicts);
    let first = places.keys().min().copied().unwrap_or(u64::MAX);
    let damage = verdicts.iter().position(|verdict| verdict.line.is_damage());
    let mut found = Found::default();
    for line in present.lines() {
        let line = line?;
        if line.line < first {
            continue;
        }
        let read = found.take(&line, true)?;
        let behind = damage.filter(|index| verdicts[*index].line.line < line.line);
        if let Some(index) = places.get(&line.line).copied().or(behind) {
            verdicts[index].count(read);
        }
    }
    for verdict in verdicts.iter_mut().filter(|verdict| verdict.is_undecided() && !verdict.line.is_damage()) {
        verdict.refused = Some("its raw object, which is sound now, has no such line".to_owned());
    }
    Ok(found)
}

/// Any other object: whole lines as quarantine has them, cut ones as the object has them.
fn one_by_one(verdicts: &mut [Verdict], present: Option<Numbered>, proven: bool) -> io::Result<Found> {
    let missing = match &present {
        Some(_) => "its raw object has no such line any more",
        None => "its raw object is gone, and quarantine has no more than its beginning",
    };
    let places = places(verdicts);
    let mut found = Found::default();
    for line in present.into_iter().flat_map(Numbered::lines) {
        let line = line?;
        let same = places.get(&line.line).copied().filter(|index| {
            let there = &verdicts[*index].line;
            there.cut && there.is_damage() == line.is_damage()
        });
        if let Some(index) = same {
            verdicts[index].count(found.take(&line, proven)?);
        }
    }
    for verdict in verdicts.iter_mut().filter(|verdict| verdict.is_undecided()) {
        let read = if verdict.line.cut { Err(missing.to_owned()) } else { found.take(&verdict.line, proven)? };
        verdict.count(read);
    }
    Ok(found)
}

/// Where the verdict on each line is, by its number.
fn places(verdicts: &[Verdict]) -> HashMap<u64, usize> {
    verdicts.iter().enumerate().map(|(index, verdict)| (verdict.line.line, index)).collect()
}

/// Whether this version takes the line; with `proven` only if its own hash fits.
fn read(line: &[u8], proven: bool) -> std::result::Result<(), String> {
    let event = Event::from_line(line).map_err(|error| error.to_string())?;
    if proven && !event.hash_holds() {
        return Err("event_hash does not fit, and nothing else vouches for the line".to_owned());
    }
    Ok(())
}

impl Verdict {
    fn is_undecided(&self) -> bool {
        self.events == 0 && self.refused.is_none()
    }

    fn count(&mut self, read: std::result::Result<(), String>) {
        match read {
            Ok(()) => self.events += 1,
            Err(reason) => self.refused = Some(reason),
        }
    }
}

/// Lines that are events now, as they will lie in the raw log.
#[derive(Debug)]
struct Found {
    gzip: GzEncoder<Vec<u8>>,
    hash: Sha256,
    count: u64,
}

impl Default for Found {
    fn default() -> Self {
        Self { gzip: GzEncoder::new(Vec::new(), Compression::default()), hash: Sha256::new(), count: 0 }
    }
}

impl Found {
    /// Takes a line if it is an event; with `proven` only if its own hash says so. Else the reason.
    fn take(&mut self, line: &QuarantinedLine, proven: bool) -> io::Result<std::result::Result<(), String>> {
        if line.cut {
            return Ok(Err(line.reason.clone()));
        }
        let content = line.content();
        let read = read(&content, proven);
        if read.is_ok() {
            for bytes in [&content[..], b"\n"] {
                self.gzip.write_all(bytes)?;
                self.hash.update(bytes);
            }
            self.count += 1;
        }
        Ok(read)
    }

    /// The object's name, which stands for its content and for where that came from, and its bytes.
    fn finish(self, source: &str) -> io::Result<(String, Bytes)> {
        let name = format!("{}{}", beginning(source), event::hex(&self.hash.finalize()[..8]));
        Ok((name, self.gzip.finish()?.into()))
    }
}

/// What the names of a raw object's retries begin with.
fn beginning(source: &str) -> String {
    format!("{NAME}{}-", &event::sha256_hex(source.as_bytes())[..16])
}

/// An object's name without folders and endings.
fn stem(key: &str) -> &str {
    let name = key.rsplit('/').next().unwrap_or_default();
    name.strip_suffix(".ndjson.gz").unwrap_or(name)
}

fn quarantine_day(key: &str) -> Option<&str> {
    key.strip_prefix(key::QUARANTINE)?.strip_prefix("dt=")?.get(..10)
}

/// What an earlier retry wrote, compared with what quarantine shows.
#[derive(Debug)]
struct Sought {
    /// Whole lines by their hash, and whether they are there.
    whole: HashMap<String, bool>,
    /// Beginnings of lines that were too long, and whether they are there.
    heads: Vec<(Vec<u8>, bool)>,
    /// Whether there is a line that quarantine does not show: it came from an object that had been made good.
    more: bool,
}

impl Sought {
    fn of(lines: &[QuarantinedLine]) -> Self {
        let (cut, whole): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.cut);
        let heads = cut.into_iter().filter(|line| !line.is_damage());
        Self {
            whole: whole.into_iter().map(|line| (event::sha256_hex(&line.content()), false)).collect(),
            heads: heads.map(|line| (line.content(), false)).collect(),
            more: false,
        }
    }

    fn see(&mut self, line: &[u8]) {
        if let Some(there) = self.whole.get_mut(&event::sha256_hex(line)) {
            *there = true;
            return;
        }
        let mut begun = self.heads.iter_mut().filter(|(head, _)| line.starts_with(head)).peekable();
        self.more |= begun.peek().is_none();
        begun.for_each(|(_, there)| *there = true);
    }

    fn has(&self, line: &QuarantinedLine) -> bool {
        let content = line.content();
        if line.cut {
            self.heads.iter().any(|(head, there)| *there && *head == content)
        } else {
            self.whole.get(&event::sha256_hex(&content)).copied().unwrap_or(false)
        }
    }
}
