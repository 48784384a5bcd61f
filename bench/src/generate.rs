//! `bench generate DIR EVENTS`: raw objects of a day of mixed traffic, always the same for the same arguments.
//!
//! One event in two hundred arrives late, by up to three hours, one in a hundred arrives twice; the lines of an object
//! stand in the order of their arrival. What arrives after the last event is an object of its own.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use clap::Args;
use event::{Timestamp, key};
use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::store::sqlite::compress_member;
use std::io::Write;

use crate::Failure;
use crate::deliveries::Deliveries;
use crate::traffic::Traffic;
use crate::traffic::random::Random;

/// How many events an object has unless `--objects` says otherwise.
const EVENTS_EACH: u64 = 20_000;
/// Objects are compressed by so many threads, while another makes the events.
const PACKERS: usize = 2;

/// What to make.
#[derive(Debug, Args)]
pub struct Day {
    /// Gets the objects, under raw/
    folder: PathBuf,
    /// How many events
    events: u64,
    /// In how many objects; the default is one for each 20,000 events
    #[arg(long)]
    objects: Option<u64>,
    /// Write them as the relay of one machine does: a gzip member for each 20 to 50 lines
    #[arg(long)]
    members: bool,
    /// When the first event is received
    #[arg(long, value_name = "TIME", default_value = "2026-11-20T00:00:00Z", value_parser = Timestamp::parse)]
    start: Timestamp,
    /// Over how long a time the events are spread
    #[arg(long, default_value_t = 24 * 60)]
    minutes: u64,
}

/// An object's text, to be compressed and written.
struct Object {
    number: u64,
    arrival: Timestamp,
    text: Vec<u8>,
}

/// Writes the day and says what it came to.
pub fn generate(day: &Day) -> Result<serde_json::Value, Failure> {
    let (sender, receiver) = sync_channel(1);
    let receiver = Arc::new(Mutex::new(receiver));
    let (lines, text, stored) = thread::scope(|scope| {
        let packers: Vec<_> = (0..PACKERS)
            .map(|_| {
                let receiver = Arc::clone(&receiver);
                scope.spawn(move || day.pack(&receiver))
            })
            .collect();
        // The packers alone hold it: when they fail, sending does, too.
        drop(receiver);
        let (mut text, mut stored) = (0, 0);
        let lines = day.make(|object| {
            text += object.text.len();
            sender.send(object).is_ok()
        });
        drop(sender);
        for packer in packers {
            stored += packer.join().map_err(|_| "a thread panicked")??;
        }
        Ok::<_, Failure>((lines, text, stored))
    })?;
    Ok(serde_json::json!({
        "events": day.events,
        "lines": lines,
        "objects": day.objects() + 1,
        "text_bytes": text,
        "stored_bytes": stored,
    }))
}

impl Day {
    fn objects(&self) -> u64 {
        self.objects.unwrap_or(self.events / EVENTS_EACH).clamp(1, self.events.max(1))
    }

    /// When event `index` is received: each in its own part of the time.
    fn received(&self, index: u64, random: &mut Random) -> Timestamp {
        let span = u128::from(self.minutes) * 60_000_000;
        let begin = |index: u64| (span * u128::from(index) / u128::from(self.events.max(1))) as u64;
        let within = random.below(begin(index + 1) - begin(index));
        Timestamp::from_micros(self.start.micros() + (begin(index) + within) as i64)
    }

    /// Makes the objects one after the other until `put` is false; returns the number of lines.
    fn make(&self, mut put: impl FnMut(Object) -> bool) -> u64 {
        let seed = self.start.micros() as u64;
        let (mut times, mut traffic) = (Random::new(!seed), Traffic::new(seed));
        let (mut deliveries, objects) = (Deliveries::new(seed.rotate_left(32)), self.objects());
        let first = |number: u64| (u128::from(self.events) * u128::from(number) / u128::from(objects)) as u64;
        let mut now = self.start;
        for number in 0..objects {
            let (mut text, arrival) = (Vec::new(), now);
            for index in first(number)..first(number + 1) {
                now = self.received(index, &mut times);
                let event = traffic.next(now);
                deliveries.send(&event);
                deliveries.arrived(now, &mut text);
            }
            if !put(Object { number, arrival, text }) {
                return deliveries.lines();
            }
        }
        let mut text = Vec::new();
        deliveries.arrived(Timestamp::from_micros(i64::MAX), &mut text);
        put(Object { number: objects, arrival: now, text });
        deliveries.lines()
    }

    /// Writes objects as they come; returns their size.
    fn pack(&self, objects: &Mutex<Receiver<Object>>) -> Result<usize, Failure> {
        let mut stored = 0;
        loop {
            let next = objects.lock().map_err(|_| "a thread panicked")?.recv();
            let Ok(Object { number, arrival, text }) = next else { return Ok(stored) };
            let packed = if self.members { members(&text, number)? } else { gzip(&text)? };
            let path = self.folder.join(key::raw(arrival, &format!("{}-{number:05}", arrival.seconds())));
            fs::create_dir_all(path.parent().ok_or("no folder")?)?;
            fs::write(path, &packed)?;
            stored += packed.len();
        }
    }
}

fn gzip(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut object = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::new(6));
    object.write_all(text)?;
    Ok(object.finish()?)
}

fn members(text: &[u8], number: u64) -> Result<Vec<u8>, Failure> {
    let mut random = Random::new(number);
    let mut object = Vec::with_capacity(text.len() / 3);
    let (mut begin, mut left) = (0, 20 + random.below(31));
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    for end in ends {
        left -= 1;
        if left == 0 || end == text.len() {
            object.extend(compress_member(&text[begin..end])?);
            (begin, left) = (end, 20 + random.below(31));
        }
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use event::Event;
    use event::domain::{State, evolve};
    use flate2::read::MultiGzDecoder;
    use std::io::Read;

    use super::*;

    fn day(events: u64) -> Day {
        let start = Timestamp::parse("2026-11-20T00:00:00Z").unwrap();
        Day { folder: PathBuf::new(), events, objects: Some(10), members: false, start, minutes: 24 * 60 }
    }

    fn objects(day: &Day) -> Vec<Object> {
        let mut objects = Vec::new();
        day.make(|object| {
            objects.push(object);
            true
        });
        objects
    }

    fn events(objects: &[Object]) -> Vec<Event> {
        let lines = objects.iter().flat_map(|object| object.text.split(|byte| *byte == b'\n'));
        lines.filter(|line| !line.is_empty()).map(|line| Event::from_line(line).unwrap()).collect()
    }

    #[test]
    fn a_day_is_always_the_same() {
        let (one, two) = (objects(&day(2_000)), objects(&day(2_000)));
        assert_eq!(one.len(), 11);
        assert!(one.iter().zip(&two).all(|(one, two)| (one.arrival, &one.text) == (two.arrival, &two.text)));
    }

    #[test]
    fn every_event_arrives_some_of_them_late_or_twice() {
        let lines = events(&objects(&day(20_000)));
        let ids: BTreeSet<_> = lines.iter().map(|event| event.event_id).collect();
        assert_eq!(ids.len(), 20_000);
        let twice = lines.len() - ids.len();
        assert!((140..=260).contains(&twice), "{twice} of 20,000 twice");
        let mut newest = i64::MIN;
        let late = lines.iter().filter(|event| {
            let at = event.received_at.micros();
            newest = newest.max(at);
            newest - at > 60_000_000
        });
        // Late ones, and the half of the second deliveries that are.
        let late = late.count();
        assert!((130..=270).contains(&late), "{late} of 20,000 late");
        assert!(lines.iter().all(Event::hash_holds));
    }

    #[test]
    fn tasks_fold_to_the_states_that_their_events_hold() {
        let mut lines = events(&objects(&day(5_000)));
        lines.sort_by_key(|event| event.event_id);
        lines.dedup_by_key(|event| event.event_id);
        let mut tasks: BTreeMap<String, (State, String)> = BTreeMap::new();
        let mut changes = 0;
        for event in lines.iter().filter(|event| event.event_type.starts_with("task.")) {
            let id = event.entity_id.clone().unwrap();
            let before = tasks.get(&id);
            let state = evolve(before.map(|(state, _)| state), event).unwrap();
            assert_eq!(event.state_after.as_deref(), Some(state.as_str()));
            assert_eq!(event.state_hash, Some(state.hash()));
            assert_eq!(event.prev_event_hash.as_ref(), before.map(|(_, hash)| hash));
            tasks.insert(id, (state, event.event_hash.clone()));
            changes += 1;
        }
        assert!(changes > 800, "{changes} changes of {} tasks", tasks.len());
    }

    #[test]
    fn members_hold_the_same_text() {
        let text = &objects(&day(2_000))[3].text;
        let packed = members(text, 3).unwrap();
        let mut inflated = Vec::new();
        MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut inflated).unwrap();
        assert!(inflated == *text);
        let count = packed.windows(4).filter(|window| window == &[0x1f, 0x8b, 8, 4]).count();
        assert!((4..=11).contains(&count), "{count} members for 200 lines");
    }
}
