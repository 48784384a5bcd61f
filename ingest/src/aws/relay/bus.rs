//! Notices on AWS: what was chosen of the changes goes to an event bus, once its lines are in the log.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use cloud::{Deadline, Env, Refusal};
use event::{Event, Timestamp};

use crate::aws::errors;
use crate::error::{Error, ErrorKind, Result};
use crate::notice::{COMPLETED, Choice, Notice, Told};

/// What an event of ours is from, to rules of the bus.
const SOURCE: &str = "daybook";
/// What one call takes: entries, and bytes of all of them.
const ENTRIES: usize = 10;
const BYTES: usize = 256 << 10;
/// What an entry's time counts for, bytes.
const TIME: usize = 14;

/// An event bus, and what it is told of.
#[derive(Debug, Clone)]
pub struct Bus {
    client: Client,
    name: String,
    choice: Choice,
    deadline: Deadline,
}

/// Which bus is told of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusSettings {
    /// The bus's name or ARN.
    pub name: String,
    /// What it is told of.
    pub choice: Choice,
}

impl BusSettings {
    /// Reads `DAYBOOK_EVENT_BUS` and `DAYBOOK_NOTIFY_EVENTS`; `None` if no bus is told.
    ///
    /// # Errors
    /// Types without a bus, or such as no change has.
    pub fn read(env: &Env) -> std::result::Result<Option<Self>, Refusal> {
        let types = env.list("DAYBOOK_NOTIFY_EVENTS", |name| Ok::<_, Refusal>(name.to_owned()))?;
        let refusal = |why: String| Refusal::new(format!("DAYBOOK_NOTIFY_EVENTS: {why}"));
        let choice = match types.is_empty() {
            true => Choice::default(),
            false => Choice::parse(&types).map_err(refusal)?,
        };
        match env.optional("DAYBOOK_EVENT_BUS") {
            None if types.is_empty() => Ok(None),
            None => Err(refusal("is nothing without DAYBOOK_EVENT_BUS".to_owned())),
            Some(_) if choice.has_requests() => {
                Err(refusal("reads and refusals take another road to the log; write types of changes".to_owned()))
            }
            Some(name) => Ok(Some(Self { name: name.to_owned(), choice })),
        }
    }
}

impl Bus {
    /// The bus of these settings.
    pub fn new(client: Client, settings: BusSettings, deadline: Deadline) -> Self {
        Self { client, name: settings.name, choice: settings.choice, deadline }
    }

    /// Tells of the events of these lines, as far as they were chosen; gives of how many. When it returns, the bus has
    /// them all.
    ///
    /// What a task was before is not known here: a change to `completed` of one that was so already is told of, too.
    ///
    /// # Errors
    /// Any: some may have been taken, and come again with their lines.
    pub async fn tell<'a>(&self, lines: impl IntoIterator<Item = &'a [u8]>) -> Result<u64> {
        let notices: Vec<(Notice, Timestamp)> = lines.into_iter().filter_map(|line| self.notice(line)).collect();
        for call in calls(&notices) {
            self.put(call).await?;
        }
        Ok(notices.len() as u64)
    }

    fn notice(&self, line: &[u8]) -> Option<(Notice, Timestamp)> {
        // One that cannot be read is the compactor's: it says so in quarantine.
        let event = Event::from_line(line).ok()?;
        let kind = match self.choice.of(&event) {
            Told::No => return None,
            Told::As(kind) => kind,
            Told::Unless(_) => COMPLETED,
        };
        let notice = Notice::of(kind, &event);
        if size(&notice) > BYTES {
            tracing::error!(event_id = %notice.id, bytes = size(&notice), "a notice is larger than a bus takes");
            return None;
        }
        Some((notice, event.received_at))
    }

    async fn put(&self, notices: &[(Notice, Timestamp)]) -> Result<()> {
        let what = format!("telling {} of {} events", self.name, notices.len());
        let entries = notices.iter().map(|(notice, at)| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(&notice.kind)
                .detail(&notice.body)
                .time(DateTime::from_millis(at.millis()))
                .build()
        });
        let call = self.client.put_events().set_entries(Some(entries.collect())).send();
        let answer = self.deadline.bound(call).await.map_err(|elapsed| errors::elapsed(&what, elapsed))?;
        let answer = answer.map_err(|error| errors::failed(&what, &error))?;
        if answer.failed_entry_count() == 0 {
            return Ok(());
        }
        let reason = answer.entries().iter().find_map(|entry| entry.error_code()).unwrap_or("no code");
        let refused = format!("{what}: {} refused, such as for {reason}", answer.failed_entry_count());
        Err(Error::new(ErrorKind::Unavailable, refused))
    }
}

/// What an entry counts for, bytes.
fn size(notice: &Notice) -> usize {
    TIME + SOURCE.len() + notice.kind.len() + notice.body.len()
}

/// Cuts notices into calls, in their order.
fn calls(notices: &[(Notice, Timestamp)]) -> impl Iterator<Item = &[(Notice, Timestamp)]> {
    let mut rest = notices;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fit = rest.iter().take(ENTRIES).take_while(|(notice, _)| {
            bytes += size(notice);
            bytes <= BYTES
        });
        let (call, left) = rest.split_at(fit.count());
        rest = left;
        (!call.is_empty()).then_some(call)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(body: usize) -> (Notice, Timestamp) {
        let notice =
            Notice { id: event::EventId::default(), kind: "k".to_owned(), subject: None, body: "x".repeat(body) };
        (notice, Timestamp::default())
    }

    #[test]
    fn a_call_has_ten_entries_and_a_quarter_of_a_mebibyte_at_most() {
        let check = |sizes: &[usize], expect: &[usize]| {
            let notices: Vec<_> = sizes.iter().copied().map(notice).collect();
            let calls: Vec<usize> = calls(&notices).map(<[_]>::len).collect();
            assert_eq!(calls, expect, "{sizes:?}");
        };
        let rest = TIME + SOURCE.len() + 1;
        check(&[], &[]);
        check(&[1; 25], &[10, 10, 5]);
        check(&[BYTES - rest, 1, 1], &[1, 2]);
        check(&[BYTES / 2 - rest, BYTES / 2 - rest, 0], &[2, 1]);
    }

    #[test]
    fn settings_are_read_and_refused_by_name() {
        let read = |variables: &[(&str, &str)]| {
            BusSettings::read(&Env::of(variables.iter().copied())).map_err(|refusal| refusal.to_string())
        };
        let (bus, types) = ("DAYBOOK_EVENT_BUS", "DAYBOOK_NOTIFY_EVENTS");
        assert_eq!(read(&[]), Ok(None));
        let told = |choice| Ok(Some(BusSettings { name: "b".to_owned(), choice }));
        assert_eq!(read(&[(bus, "b")]), told(Choice::default()));
        assert_eq!(
            read(&[(bus, "b"), (types, "user.*, task.created")]),
            told(Choice::parse(&["user.*", "task.created"]).unwrap())
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
