//! Other servers' logs become events: `request.imported`, with their own time, in the raw log as any other.
//!
//! A line's identity is its log's name, its number and its bytes, so a log can be imported again, and while it grows:
//! what is known adds nothing. Objects are durable when an import ends; the next compaction brings their lines in.

mod formats;
mod maker;
mod object;
mod seen;
mod text;

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use compactor::{QuarantinedLine, RawLog, RawObject};
use event::{Timestamp, key};
use futures::stream::{self, StreamExt};

pub use formats::Reader;
pub use maker::{Maker, Origin};

use self::object::Object;
use self::text::{Piece, Text};
use crate::failure::{Failure, Result};

/// What an import did.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// Requests read, those that could not be read included.
    pub lines: u64,
    /// Those that are events.
    pub events: u64,
    /// Of them, those in objects that an earlier import had written.
    pub known: u64,
    /// Lines that are no events; all of them are in quarantine.
    pub quarantined: u64,
    /// The first of those.
    pub bad: Vec<QuarantinedLine>,
    /// Raw objects written.
    pub objects: u64,
    /// Their size.
    pub bytes_out: u64,
    /// Why a log could not be read to its end, if one could not.
    pub broken: Option<String>,
}

/// Imports into one installation.
pub struct Import {
    raw: Arc<dyn RawLog>,
    known: HashSet<String>,
    now: Timestamp,
    longest: usize,
    workers: usize,
    show: usize,
    /// What was done so far.
    pub done: Imported,
}

impl Import {
    /// Into this raw log. A line longer than `longest` bytes is quarantined; of the quarantined ones the first `show`
    /// are kept to be shown.
    ///
    /// # Errors
    /// The log cannot be listed.
    pub async fn new(raw: Arc<dyn RawLog>, now: Timestamp, longest: usize, show: usize) -> Result<Self> {
        let listing = [raw.list(None).await?, raw.list_quarantine().await?].concat();
        let known = listing.iter().filter_map(stem).collect();
        let workers = std::thread::available_parallelism().map_or(2, usize::from).min(16);
        Ok(Self { raw, known, now, longest, workers, show, done: Imported::default() })
    }

    /// Imports a log. `report` is told how many bytes of the file were read.
    ///
    /// # Errors
    /// The log cannot be opened, or the raw log cannot be written; what was written until then stays.
    pub async fn add(&mut self, path: &Path, maker: Maker, reader: Reader, report: impl Fn(u64, u64)) -> Result<()> {
        let opened = Text::open(path, self.longest);
        let text = opened.map_err(Failure::while_(format_args!("read {}", path.display())))?;
        let (progress, longest, maker) = (text.progress(), self.longest, Arc::new(maker));
        let pieces = stream::unfold(Some((text, reader)), read_piece);
        let objects = pieces
            .map(move |(piece, reader, line, error)| {
                let maker = Arc::clone(&maker);
                async move { (blocking(move || object::make(&maker, reader, &piece, longest)).await, line, error) }
            })
            .buffered(self.workers);
        let mut objects = std::pin::pin!(objects);
        while let Some((object, line, error)) = objects.next().await {
            self.keep(object.map_err(Failure::while_("render events"))?).await?;
            report(progress.load(std::sync::atomic::Ordering::Relaxed), self.done.lines);
            if let Some(error) = error {
                let path = path.display();
                self.done.broken.get_or_insert(format!("{path} cannot be read from line {line} on: {error}"));
            }
        }
        Ok(())
    }

    /// Makes an object durable, unless it is there already.
    async fn keep(&mut self, object: Object) -> Result<()> {
        if let Some((name, bytes)) = object.quarantine
            && !self.known.contains(&name)
        {
            self.raw.quarantine(&key::quarantine(self.now, &name), Bytes::from(bytes)).await?;
            self.known.insert(name);
        }
        match object.raw {
            Some((name, _)) if self.known.contains(&name) => self.done.known += object.events,
            Some((name, bytes)) => {
                self.done.objects += 1;
                self.done.bytes_out += bytes.len() as u64;
                self.raw.add(&key::raw(self.now, &name), Bytes::from(bytes)).await?;
                self.known.insert(name);
            }
            None => {}
        }
        self.done.lines += object.lines;
        self.done.events += object.events;
        self.done.quarantined += object.bad.len() as u64;
        let room = self.show.saturating_sub(self.done.bad.len());
        self.done.bad.extend(object.bad.into_iter().take(room));
        Ok(())
    }
}

type Read = (Piece, Reader, u64, Option<io::Error>);

/// The next piece, with what the pieces before it said of the format.
async fn read_piece(state: Option<(Text, Reader)>) -> Option<(Read, Option<(Text, Reader)>)> {
    let (mut text, mut reader) = state?;
    let read = blocking(move || {
        let (piece, more) = text.next();
        let begun = reader.clone();
        piece.numbered().for_each(|(_, line)| {
            if line.starts_with(b"#") {
                reader.is_comment(line);
            }
        });
        let line = text.line();
        Ok((piece, more, begun, line, text, reader))
    });
    match read.await {
        Ok((piece, Ok(true), begun, line, text, reader)) => Some(((piece, begun, line, None), Some((text, reader)))),
        Ok((piece, more, begun, line, ..)) => Some(((piece, begun, line, more.err()), None)),
        Err(_) => None,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
}

/// The name of an object that an import wrote.
fn stem(object: &RawObject) -> Option<String> {
    let name = object.key.rsplit('/').next()?.strip_suffix(".ndjson.gz")?;
    name.starts_with("import-").then(|| name.to_owned())
}
