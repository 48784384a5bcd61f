//! Notices of one machine: what was committed is told of by signed webhooks, at least once, after the fact.
//!
//! Nothing of it is on the write path: the log is read as the relay reads it, from a place of its own that a small file
//! remembers. A receiver that is slow or gone holds up nobody but itself.

mod letters;
mod patience;
mod receiver;
mod record;
mod window;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use event::{Event, EventId};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::error::{Error, ErrorKind, Result};
use crate::notice::{COMPLETED, Choice, Notice, Told, is_completed};
use crate::store::sqlite::{Batch, Extent, SqliteStore};
use crate::store::{EntityRef, EventStore};
use crate::system::System;

pub use letters::{Letter, Letters};
pub use receiver::{Outcome, Receiver, Settings, url};
pub use record::{Missed, Record, Waiting};
use window::{Place, Window};

/// The folder of everything about notices, within the data folder.
const FOLDER: &str = "notices";
/// How many are on their way at once.
const OUT: usize = 8;
/// Bytes of batches that are read at a time, and how often between two looks at what became of those on their way.
const READ_BYTES: usize = 64 << 10;
const READS: usize = 32;
/// After how many looks it is noted how far was read, if nothing was sent.
const NOTE_EVERY: u64 = 10;
/// What was read of another store is told by its ids; those of requests that were under way at once may be in any order.
const MARGIN_MILLIS: u128 = 60_000;

/// Follows the log and sends notices.
#[derive(Debug)]
pub struct Notifier {
    store: Arc<SqliteStore>,
    choice: Choice,
    receiver: Receiver,
    most_attempts: u32,
    system: System,
    letters: Letters,
    record: Record,
    window: Window,
    /// Given up, but not among the letters yet.
    dead: Vec<(Place, Letter)>,
    /// Of another store than the one that was read before.
    seen: Option<Seen>,
    unnoted: Unnoted,
    looks: u64,
}

/// What the file of the record does not say yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unnoted {
    Nothing,
    /// That more was read, of which nothing was sent.
    Read,
    /// That something was sent, or could not be.
    Sent,
}

/// What was told of before, by ids.
#[derive(Debug)]
struct Seen {
    before: EventId,
    except: BTreeSet<EventId>,
}

impl Notifier {
    /// Goes on from where the last one stood; the first one of a folder begins with what is committed from now on.
    ///
    /// A notice is given up after `most_attempts`.
    ///
    /// # Errors
    /// The store's; the record cannot be read or written.
    pub async fn open(
        store: Arc<SqliteStore>,
        choice: Choice,
        receiver: Receiver,
        most_attempts: u32,
        system: System,
    ) -> Result<Self> {
        let reader = store.reader();
        let last = reader.extent().await?.last;
        let mut seen = None;
        let record = match Record::read(store.folder())? {
            Some(record) if record.store == reader.store_id() && record.read_to <= last => record,
            Some(record) => {
                let old = Seen::of(&record);
                let read_to = reader.last_batch_before(old.first()).await?;
                seen = Some(old);
                Record { store: reader.store_id().to_owned(), read_to, waiting: Vec::new(), ..record }
            }
            None => {
                let (store, last_id) = (reader.store_id().to_owned(), reader.last_event_id().await?);
                Record { store, read_to: last, last_id, waiting: Vec::new(), missed: None, dropped: 0 }
            }
        };
        let letters = Letters::of(store.folder());
        let (window, dead) = (Window::default(), Vec::new());
        let unnoted = Unnoted::Sent;
        let mut notifier = Self {
            store,
            choice,
            receiver,
            most_attempts,
            system,
            letters,
            record,
            window,
            dead,
            seen,
            unnoted,
            looks: 0,
        };
        notifier.resume().await?;
        notifier.note().await?;
        Ok(notifier)
    }

    /// Sends what is committed, until told to stop; looks for it so often. What is on its way then comes again.
    pub async fn run(mut self, every: Duration, mut stopped: watch::Receiver<()>) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut out = FuturesUnordered::new();
        let mut said = String::new();
        loop {
            let now = (self.system.now)();
            while out.len() < OUT
                && let Some((place, notice)) = self.window.take(now)
            {
                out.push(send(self.receiver.clone(), place, notice));
            }
            tokio::select! {
                _ = stopped.changed() => break,
                Some((place, notice, outcome)) = out.next() => self.settle(place, notice, outcome),
                _ = ticks.tick() => match self.look().await {
                    Ok(()) => said.clear(),
                    Err(error) if error.to_string() != said => {
                        said = error.to_string();
                        tracing::error!(%error, "notices could not be followed up; it goes on with the next look");
                    }
                    Err(_) => {}
                },
            }
        }
        self.unnoted = Unnoted::Sent;
        if let Err(error) = self.note().await {
            tracing::error!(%error, "it was not noted which notices were taken; some will come twice");
        }
    }

    async fn look(&mut self) -> Result<()> {
        self.looks += 1;
        let read = self.read().await;
        self.note().await?;
        read
    }

    /// Takes up what waited when the last one stopped.
    async fn resume(&mut self) -> Result<()> {
        let mut waiting = std::mem::take(&mut self.record.waiting);
        waiting.sort_by_key(|waiting| waiting.seq);
        for of_batch in waiting.chunk_by(|a, b| a.seq == b.seq) {
            let seq = of_batch[0].seq;
            let batch = self.store.reader().batches(seq - 1, 1).await?.pop().filter(|batch| batch.seq == seq);
            let events = match batch {
                Some(batch) => decode(batch).await?,
                None => Vec::new(),
            };
            for Waiting { event_id, attempts, due, .. } in of_batch {
                match events.iter().find(|event| event.event_id == *event_id) {
                    Some(event) => {
                        if let Some(notice) = self.notice(event).await? {
                            self.window.add(seq, notice, *attempts, *due);
                        }
                    }
                    None => self.record.miss(seq, seq),
                }
            }
        }
        Ok(())
    }

    /// Reads what was committed meanwhile, as far as there is room.
    async fn read(&mut self) -> Result<()> {
        self.look_for_removed().await?;
        for _ in 0..READS {
            if !self.window.has_room() {
                return Ok(());
            }
            let batches = self.store.reader().batches(self.record.read_to, READ_BYTES).await?;
            if batches.is_empty() {
                self.seen = None;
                return Ok(());
            }
            for batch in batches {
                self.take_in(batch).await?;
            }
        }
        Ok(())
    }

    async fn take_in(&mut self, batch: Batch) -> Result<()> {
        let seq = batch.seq;
        let (mut notices, mut last_id) = (Vec::new(), self.record.last_id);
        for event in decode(batch).await? {
            last_id = last_id.max(Some(event.event_id));
            if !self.seen.as_ref().is_some_and(|seen| seen.has(event.event_id)) {
                notices.extend(self.notice(&event).await?);
            }
        }
        let now = (self.system.now)();
        notices.into_iter().for_each(|notice| self.window.add(seq, notice, 0, now));
        (self.record.read_to, self.record.last_id) = (seq, last_id);
        self.unnoted = self.unnoted.max(Unnoted::Read);
        Ok(())
    }

    /// Says if events had their time in the store before they were read: a receiver does not prolong it.
    async fn look_for_removed(&mut self) -> Result<()> {
        let extent = self.store.reader().extent().await?;
        let removed = removed_to(extent, &self.choice);
        let first = self.record.read_to + 1;
        if removed < first || self.record.missed.is_some_and(|missed| missed.last >= removed) {
            return Ok(());
        }
        tracing::error!(first, last = removed, "events of these batches went before they were told of");
        self.record.miss(first, removed);
        self.unnoted = Unnoted::Sent;
        Ok(())
    }

    async fn notice(&self, event: &Event) -> Result<Option<Notice>> {
        let kind = match self.choice.of(event) {
            Told::No => None,
            Told::As(kind) => Some(kind),
            Told::Unless(plain) if self.was_completed(event).await? => plain,
            Told::Unless(_) => Some(COMPLETED),
        };
        Ok(kind.map(|kind| Notice::of(kind, event)))
    }

    /// Whether an event's task was completed before it. If that is not known any more, it was not.
    async fn was_completed(&self, event: &Event) -> Result<bool> {
        let (Some(kind), Some(id), Some(version)) = (&event.entity_type, &event.entity_id, event.entity_version) else {
            return Ok(false);
        };
        let entity = EntityRef { tenant: event.tenant.clone(), kind: kind.clone(), id: id.clone() };
        let before = self.store.history(&entity, version - 2, 1).await?;
        let before = before.first().filter(|before| before.entity_version == Some(version - 1));
        Ok(before.and_then(|before| before.state_after.as_deref()).is_some_and(is_completed))
    }

    fn settle(&mut self, place: Place, notice: Notice, outcome: Outcome) {
        self.unnoted = Unnoted::Sent;
        let (reason, asked_for, is_final) = match outcome {
            Outcome::Taken => return self.window.settle(place),
            Outcome::Failed(reason, asked_for) => (reason, asked_for, false),
            Outcome::Refused(reason) => (reason, None, true),
        };
        let (attempts, now) = (self.window.count(place), (self.system.now)());
        if is_final || attempts >= self.most_attempts {
            tracing::error!(event_id = %notice.id, attempts, reason, "a notice is given up; it is a dead letter");
            let Notice { id: event_id, kind, body, .. } = notice;
            let letter = Letter { event_id, r#type: kind, given_up_at: now, attempts, reason, body };
            return self.dead.push((place, letter));
        }
        if attempts == 1 {
            tracing::warn!(event_id = %notice.id, reason, "a notice was not taken; it is sent again");
        }
        if let Some(pause) = asked_for {
            self.window.pause(now, pause);
        }
        let [first, second, ..] = (self.system.random)();
        let pause = patience::pause(attempts, u16::from_be_bytes([first, second]));
        self.window.fail(place, now, pause.max(asked_for.unwrap_or_default()));
    }

    /// Writes down what became of the notices: dead letters first, and only then that they are not waited for.
    async fn note(&mut self) -> Result<()> {
        if !self.dead.is_empty() {
            let (letters, new) = (self.letters.clone(), self.dead.iter().map(|(_, letter)| letter.clone()).collect());
            let dropped = blocking(move || letters.add(new)).await?;
            if dropped > 0 {
                tracing::warn!(dropped, "the oldest dead letters made room");
                self.record.dropped += dropped;
            }
            self.dead.drain(..).for_each(|(place, _)| self.window.settle(place));
        }
        match self.unnoted {
            Unnoted::Nothing => return Ok(()),
            Unnoted::Read if !self.looks.is_multiple_of(NOTE_EVERY) => return Ok(()),
            Unnoted::Read | Unnoted::Sent => {}
        }
        let waiting = self.window.entries().map(|((seq, event_id), entry)| Waiting {
            seq: *seq,
            event_id: *event_id,
            attempts: entry.attempts,
            due: entry.due,
        });
        self.record.waiting = waiting.collect();
        let (record, folder) = (self.record.clone(), self.store.folder().to_owned());
        blocking(move || record.write(&folder)).await?;
        self.unnoted = Unnoted::Nothing;
        Ok(())
    }
}

impl Seen {
    fn of(record: &Record) -> Self {
        let last = record.last_id.unwrap_or_default().as_u128();
        Self {
            before: EventId::from_u128(last.saturating_sub(MARGIN_MILLIS << 80)),
            except: record.waiting.iter().map(|waiting| waiting.event_id).collect(),
        }
    }

    /// The first id that is to be read again.
    fn first(&self) -> EventId {
        self.except.first().map_or(self.before, |first| self.before.min(*first))
    }

    fn has(&self, id: EventId) -> bool {
        id < self.before && !self.except.contains(&id)
    }
}

/// The last batch from which something was removed that may have been chosen.
pub fn removed_to(extent: Extent, choice: &Choice) -> i64 {
    let (submissions, others) = choice.kinds();
    let of = |is_chosen: bool, removed: i64| if is_chosen { removed } else { 0 };
    of(submissions, extent.submissions_removed_to).max(of(others, extent.events_removed_to))
}

async fn send(receiver: Receiver, place: Place, notice: Notice) -> (Place, Notice, Outcome) {
    let outcome = receiver.send(notice.id, &notice.body).await;
    (place, notice, outcome)
}

async fn decode(batch: Batch) -> Result<Vec<Event>> {
    blocking(move || batch.decode()).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let cut_off = |error| Error::new(ErrorKind::Unavailable, "work on notices was cut off").with_source(error);
    tokio::task::spawn_blocking(work).await.map_err(cut_off)?
}
