//! Notices on AWS: what was chosen of the changes goes to an event bus, once its lines are in the log.

use std::time::Duration;

use aws_sdk_eventbridge::Client;
use bytes::Bytes;
use cloud::{Deadline, Env, Refusal};
use event::{Event, key, sha256_hex};

use super::entry::{self, Entry};
use crate::aws::objects::Objects;
use crate::aws::{errors, retry};
use crate::error::{Error, ErrorKind, Result};
use crate::notice::{COMPLETED, Choice, Told};
use crate::system::System;

/// How often what a bus refuses of a call is put at most.
const ATTEMPTS: u32 = 5;
/// What the bus says of an entry that it may take later; whatever else it says is said of that entry for ever.
const LATER: &[&str] = &["InternalException", "InternalFailure", "ServiceUnavailable", "ThrottlingException"];

/// An event bus, and what it is told of.
#[derive(Debug, Clone)]
pub struct Bus {
    client: Client,
    settings: BusSettings,
    /// Where notices are kept that it does not take.
    kept: Objects,
    deadline: Deadline,
    system: System,
}

/// Which bus is told of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusSettings {
    /// The bus's name or ARN.
    pub name: String,
    /// What it is told of.
    pub choice: Choice,
    /// How long after its request a change waits for a bus that takes nothing; then its notice is kept.
    pub patience: Duration,
}

/// What became of notices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many the bus has.
    pub told: u64,
    /// How many it did not take; they are objects under `notices/`.
    pub kept: u64,
}

/// What the bus has not taken of a call.
struct Left<'a> {
    entries: Vec<&'a Entry>,
    /// Retryable if some of it may be taken later.
    error: Error,
}

impl BusSettings {
    /// What a change waits for a bus that is down, seconds: the log waits as long.
    const PATIENCE: u32 = 300;

    /// Reads `DAYBOOK_EVENT_BUS`, `DAYBOOK_NOTIFY_EVENTS` and `DAYBOOK_NOTIFY_PATIENCE_SECONDS`; `None` if no bus is told.
    ///
    /// # Errors
    /// Types without a bus, or such as no change has; a patience that is no number.
    pub fn read(env: &Env) -> std::result::Result<Option<Self>, Refusal> {
        let types = env.list("DAYBOOK_NOTIFY_EVENTS", |name| Ok::<_, Refusal>(name.to_owned()))?;
        let refusal = |why: String| Refusal::new(format!("DAYBOOK_NOTIFY_EVENTS: {why}"));
        let choice = match types.is_empty() {
            true => Choice::default(),
            false => Choice::parse(&types).map_err(refusal)?,
        };
        let patience: u32 = env.number("DAYBOOK_NOTIFY_PATIENCE_SECONDS", Self::PATIENCE)?;
        match env.optional("DAYBOOK_EVENT_BUS") {
            None if types.is_empty() => Ok(None),
            None => Err(refusal("is nothing without DAYBOOK_EVENT_BUS".to_owned())),
            Some(_) if choice.has_requests() => {
                Err(refusal("reads and refusals take another road to the log; write types of changes".to_owned()))
            }
            Some(name) => {
                Ok(Some(Self { name: name.to_owned(), choice, patience: Duration::from_secs(patience.into()) }))
            }
        }
    }
}

impl Bus {
    /// The bus of these settings.
    pub fn new(client: Client, settings: BusSettings, kept: Objects, deadline: Deadline) -> Self {
        Self { client, settings, kept, deadline, system: System::real() }
    }

    /// Tells of the events of these lines, as far as they were chosen. When it returns, the bus has them, or they are kept
    /// as an object under `notices/`: what the bus will never take, at once; and what it cannot take now, with everything
    /// behind it, once the oldest of its call is older than the patience. So neither a bus that is down nor a notice that
    /// it dislikes holds up the log for longer.
    ///
    /// What a task was before is not known here: a change to `completed` of one that was so already is told of, too.
    ///
    /// # Errors
    /// The bus took nothing and the patience is not over, or what it left could not be kept. Some may have been taken,
    /// and come again with their lines.
    pub async fn tell<'a>(&self, lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Outcome> {
        let entries: Vec<Entry> = lines.into_iter().filter_map(|line| self.entry(line)).collect();
        let (mut kept, mut is_down) = (Vec::new(), false);
        for call in entry::calls(&entries) {
            if is_down {
                kept.extend(call);
                continue;
            }
            let Err(left) = self.put(call).await else { continue };
            is_down = left.error.is_retryable();
            if is_down && self.waits_for(&left.entries) {
                return Err(left.error);
            }
            tracing::error!(error = %left.error, notices = left.entries.len(), "a bus did not take notices; they are kept");
            kept.extend(left.entries);
        }
        self.keep(&kept).await?;
        Ok(Outcome { told: (entries.len() - kept.len()) as u64, kept: kept.len() as u64 })
    }

    fn entry(&self, line: &[u8]) -> Option<Entry> {
        // One that cannot be read is the compactor's: it says so in quarantine.
        let event = Event::from_line(line).ok()?;
        let kind = match self.settings.choice.of(&event) {
            Told::No => return None,
            Told::As(kind) => kind,
            Told::Unless(_) => COMPLETED,
        };
        Some(Entry::of(&self.settings.name, kind, &event))
    }

    /// Puts a call's entries, and what is refused of them for now again and nothing else of it, in half of the time that
    /// is left. What is put again comes after what was taken at once: a bus keeps no order.
    async fn put<'a>(&self, call: &'a [Entry]) -> std::result::Result<(), Left<'a>> {
        let mut left: Vec<&Entry> = call.iter().collect();
        let put = self.put_again(&mut left);
        let put = match self.deadline.remaining() {
            Some(time) => tokio::time::timeout(time / 2, put).await,
            None => Ok(put.await),
        };
        match put {
            Ok(put) => put.map_err(|error| Left { entries: left, error }),
            Err(_) => {
                let slow = Error::new(ErrorKind::Unavailable, "the bus took more than half of the time");
                Err(Left { entries: call.iter().collect(), error: slow })
            }
        }
    }

    /// Puts entries until all that are left are refused for ever, or it was tried often enough.
    async fn put_again(&self, left: &mut Vec<&Entry>) -> Result<()> {
        let mut refused: Vec<&Entry> = Vec::new();
        let mut said = String::new();
        for attempt in 0..ATTEMPTS {
            let codes = match self.send(left).await {
                Ok(codes) => codes,
                Err(error) => {
                    left.append(&mut refused);
                    return Err(error);
                }
            };
            said = codes.iter().flatten().next().cloned().unwrap_or(said);
            let is_later = |code: &String| LATER.contains(&code.as_str());
            let put = std::mem::take(left).into_iter().zip(codes);
            for (entry, code) in put.filter_map(|(entry, code)| Some((entry, code?))) {
                if is_later(&code) { left.push(entry) } else { refused.push(entry) }
            }
            if left.is_empty() || attempt + 1 == ATTEMPTS {
                break;
            }
            retry::pause(attempt, self.system.random).await;
        }
        let kind = if left.is_empty() { ErrorKind::Unusable } else { ErrorKind::Unavailable };
        left.append(&mut refused);
        match left.len() {
            0 => Ok(()),
            count => {
                let name = &self.settings.name;
                Err(Error::new(kind, format!("telling {name}: {count} events refused, such as for {said}")))
            }
        }
    }

    /// Sends entries once; gives for each why it was refused, if it was.
    async fn send(&self, entries: &[&Entry]) -> Result<Vec<Option<String>>> {
        let what = format!("telling {} of {} events", self.settings.name, entries.len());
        let sent = entries.iter().map(|entry| entry.to_sent()).collect();
        let answer = self.deadline.bound(self.client.put_events().set_entries(Some(sent)).send()).await;
        let answer = answer.map_err(|elapsed| errors::elapsed(&what, elapsed))?;
        let answer = answer.map_err(|error| errors::failed(&what, &error))?;
        let codes = answer.entries().iter().map(|entry| entry.error_code().map(str::to_owned));
        match answer.failed_entry_count() {
            0 => Ok(vec![None; entries.len()]),
            _ if answer.entries().len() == entries.len() => Ok(codes.collect()),
            _ => Err(Error::new(ErrorKind::Unavailable, format!("{what}: some were refused, not said which"))),
        }
    }

    /// Whether all of these are so new that they come again rather than being kept.
    fn waits_for(&self, entries: &[&Entry]) -> bool {
        let patience = i64::try_from(self.settings.patience.as_micros()).unwrap_or(i64::MAX);
        let since = (self.system.now)().micros().saturating_sub(patience);
        entries.iter().all(|entry| entry.time.micros() > since)
    }

    /// Writes entries as one object, a line each; the same ones twice in a day are one object.
    async fn keep(&self, entries: &[&Entry]) -> Result<()> {
        let mut text = Vec::new();
        for entry in entries {
            let line = serde_json::to_vec(entry).map_err(std::io::Error::from);
            text.extend(line.map_err(|error| Error::new(ErrorKind::Unusable, "writing a notice").with_source(error))?);
            text.push(b'\n');
        }
        if text.is_empty() {
            return Ok(());
        }
        let name = &sha256_hex(&text)[..32];
        self.kept.put(&key::notices((self.system.now)(), name), Bytes::from(text)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_refused_by_name() {
        let read = |variables: &[(&str, &str)]| {
            BusSettings::read(&Env::of(variables.iter().copied())).map_err(|refusal| refusal.to_string())
        };
        let (bus, types) = ("DAYBOOK_EVENT_BUS", "DAYBOOK_NOTIFY_EVENTS");
        assert_eq!(read(&[]), Ok(None));
        let told = |choice, seconds| {
            Ok(Some(BusSettings { name: "b".to_owned(), choice, patience: Duration::from_secs(seconds) }))
        };
        assert_eq!(read(&[(bus, "b")]), told(Choice::default(), 300));
        assert_eq!(
            read(&[(bus, "b"), (types, "user.*, task.created"), ("DAYBOOK_NOTIFY_PATIENCE_SECONDS", "0")]),
            told(Choice::parse(&["user.*", "task.created"]).unwrap(), 0)
        );
        for (variables, reason) in [
            (&[(types, "task.*")][..], "nothing without DAYBOOK_EVENT_BUS"),
            (&[(bus, "b"), (types, "task")], "is no type of event"),
            (&[(bus, "b"), (types, "request.read")], "another road"),
        ] {
            assert!(
                read(variables).is_err_and(|error| error.starts_with(types) && error.contains(reason)),
                "{variables:?}"
            );
        }
    }
}
