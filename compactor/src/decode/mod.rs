//! Raw objects line by line: the careful way, which any object can be read by, the quick one for whole members, and
//! what a line is worth.

mod count;
mod inflate;
mod lines;
pub(crate) mod members;

use std::io;
use std::sync::Arc;

use event::Event;

use crate::error::{Error, ErrorKind, Result};
use crate::quarantine::{BadLine, BadLines, QUARANTINE_REASON_DAMAGED};
use crate::raw::{RawLog, RawObject};
pub use count::{RawCount, count_raw, lines_up_to_damage};
pub(crate) use inflate::{GZIP, Inflate};
pub(crate) use lines::{EXCERPT, Line, Lines};

/// Bounds on what one line and one object may be (I9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A longer line is quarantined without being read into memory as a whole. Default 8 MiB.
    pub line_bytes: usize,
    /// An object may inflate to so many times its size … Default 100; a log of events reaches 5 to 15.
    pub object_ratio: u64,
    /// … or to so many bytes, if that is more. Default 64 MiB.
    pub object_floor: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line_bytes: 8 << 20, object_ratio: 100, object_floor: 64 << 20 }
    }
}

impl Limits {
    /// What an object of `stored` bytes may inflate to.
    pub(crate) fn inflated(&self, stored: u64) -> u64 {
        stored.saturating_mul(self.object_ratio).max(self.object_floor)
    }
}

/// What an object's lines came to; what they hold went elsewhere.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// Lines, as [`Counts`](crate::Counts) defines them.
    pub(crate) lines: u64,
    /// Lines that are not what they should be.
    pub(crate) bad: BadLines,
    /// Whether the object could be read only up to a point.
    pub(crate) damaged: bool,
}

/// Hands every line of an object to `take`, together with `state`, which is given back. A line that `take` refuses is
/// a bad line with that reason.
///
/// # Errors
/// The object could not be read. Then `state` is lost, too.
pub(crate) async fn each_line<S: Send + 'static>(
    raw: &Arc<dyn RawLog>,
    object: &RawObject,
    limits: Limits,
    mut state: S,
    mut take: impl FnMut(&mut S, &[u8]) -> std::result::Result<(), String> + Send + 'static,
) -> Result<(S, Decoded)> {
    let key = object.key.clone();
    let work = move |lines: Lines<'_>| {
        let decoded = read_lines(lines, &key, limits, |line| take(&mut state, line))?;
        Ok((state, decoded))
    };
    step_through(raw, object, limits, work).await
}

/// The events of an object, in its order, up to where it is damaged; lines that are none are left out.
///
/// # Errors
/// The object could not be read.
pub async fn events(raw: &Arc<dyn RawLog>, object: &RawObject, limits: Limits) -> Result<Vec<Event>> {
    let take = |events: &mut Vec<Event>, line: &[u8]| {
        events.push(Event::from_line(line).map_err(|error| error.to_string())?);
        Ok(())
    };
    Ok(each_line(raw, object, limits, Vec::new(), take).await?.0)
}

/// Opens an object for `work` to step through its lines, on a thread that may wait for the storage.
///
/// # Errors
/// The object could not be read, or `work` failed.
async fn step_through<T: Send + 'static>(
    raw: &Arc<dyn RawLog>,
    object: &RawObject,
    limits: Limits,
    work: impl FnOnce(Lines<'_>) -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let (reader, most) = (raw.open(&object.key).await?, limits.inflated(object.bytes));
    let context = || format!("read {}", object.key);
    let work = move || work(Lines::new(Inflate::new(reader, most)?, limits.line_bytes));
    let stopped = |stopped| Error::caused(ErrorKind::Stopped, context(), stopped);
    tokio::task::spawn_blocking(work).await.map_err(stopped)?.map_err(Error::raw(context()))
}

/// What vouches for a line that parses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The checksum of the object that it stands in.
    Checksum,
    /// Its own hash alone.
    EventHash,
}

impl Trust {
    /// Reads a line as an event, if it is one that can be vouched for.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn read(self, line: &[u8]) -> std::result::Result<Event, String> {
        let event = Event::from_line(line).map_err(|error| error.to_string())?;
        if self == Self::EventHash && !event.hash_holds() {
            return Err("event_hash does not fit, and the object is damaged".to_owned());
        }
        Ok(event)
    }
}

fn read_lines(
    mut lines: Lines<'_>,
    key: &str,
    limits: Limits,
    mut take: impl FnMut(&[u8]) -> std::result::Result<(), String>,
) -> io::Result<Decoded> {
    let mut decoded = Decoded { lines: 0, bad: BadLines::new(key), damaged: false };
    loop {
        let bad = match lines.next()? {
            Line::End => break,
            Line::Blank => continue,
            Line::Whole(line) => take(line).err().map(|reason| (reason, line.to_vec(), false)),
            Line::TooLong(head) => {
                let reason = format!("longer than {} bytes", limits.line_bytes);
                Some((reason, head.to_vec(), true))
            }
            Line::Damaged { reason, partial } => {
                decoded.damaged = true;
                Some((format!("{QUARANTINE_REASON_DAMAGED}: {reason}"), partial.to_vec(), true))
            }
        };
        decoded.lines += 1;
        if let Some((reason, content, cut)) = bad {
            decoded.bad.push(&BadLine { line: lines.number(), reason, content, cut })?;
        }
        if decoded.damaged {
            break;
        }
    }
    Ok(decoded)
}
