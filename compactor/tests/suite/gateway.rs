//! The gateway's own log: every request is one row, whichever of its two traces comes first, and however often.

use std::time::Duration;

use compactor::{Compaction, Error, ErrorKind, Gateway, GatewayCounts, Options, Step, Summary};
use event::Event;
use event::gateway::Source;
use event::redact::{Redactor, Rules};
use proptest::prelude::*;

use crate::support::{DAY, HOUR, Random, Row, World, at, events, gzip, key, random};

const SETTLE: i64 = 25 * HOUR;

fn gateway() -> Gateway {
    let source = Source {
        service: "daybook".to_owned(),
        service_version: "0.1.0".to_owned(),
        environment: "test".to_owned(),
        region: None,
    };
    Gateway::new(source, Redactor::new([7; 32], Rules::default()).unwrap())
}

fn options() -> Options {
    Options { settle: Duration::from_micros(SETTLE as u64), ..Options::default().forced() }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The gateway refused it.
    Refused,
    /// The function crashed and left no event.
    Crashed,
    /// It was handled, and its event is on its way.
    Handled,
}

fn gateway_key(hour: i64, name: &str) -> String {
    let arrival = at(DAY + hour * HOUR);
    format!("gateway/dt={}/hour={}/{name}.gz", arrival.day(), arrival.hour())
}

/// The gateway's line about a request; `request` is what its event says of it, or would have said.
fn line(request: &Event, end: End) -> String {
    let (status, reached) = match end {
        End::Refused => (429, "-"),
        End::Crashed => (502, "6d9c"),
        End::Handled => (201, "6d9c"),
    };
    let time = request.received_at.millis();
    let id = &request.request_id;
    format!(
        r#"{{"extendedRequestId":"x-{id}","requestId":"{id}","requestTimeEpoch":"{time}","status":"{status}","integrationRequestId":"{reached}","httpMethod":"POST","path":"/data"}}"#
    )
}

fn text(lines: impl IntoIterator<Item = (Event, End)>) -> Vec<u8> {
    let lines: Vec<String> = lines.into_iter().map(|(request, end)| line(&request, end) + "\n").collect();
    lines.concat().into_bytes()
}

fn put_lines(world: &World, key: &str, arrived: i64, requests: &[(Event, End)]) {
    world.log.put(key, gzip(&text(requests.iter().cloned())), at(arrived));
}

async fn run(world: &World, now: i64) -> Summary {
    let run = Compaction::new(&world.lake, world.raw(), options()).with_gateway(gateway());
    run.run(at(now), &random).await.unwrap()
}

fn column(row: &Row, name: &str) -> String {
    let place = event::COLUMNS.iter().position(|column| column.name == name).unwrap();
    row[place].clone().unwrap_or_default()
}

/// Every request by its id: type of its row and road into the log. Fails if one has two rows (I6).
async fn requests(world: &World) -> std::collections::BTreeMap<String, (String, String)> {
    let mut requests = std::collections::BTreeMap::new();
    for row in world.rows().await.values() {
        let id = column(row, "request_id");
        let found = (column(row, "event_type"), column(row, "ingest_path"));
        assert!(requests.insert(id.clone(), found).is_none(), "{id} has two rows");
    }
    requests
}

/// Checks I6 over all requests, and I7 of both logs.
async fn check(world: &World, expect: &[(Event, End)]) {
    let found = requests(world).await;
    assert_eq!(found.len(), expect.len());
    for (request, end) in expect {
        let (event_type, road) = match end {
            End::Refused => ("gateway.rejected", "gateway"),
            End::Crashed => ("request.failed", "gateway"),
            End::Handled => (request.event_type.as_str(), "local"),
        };
        assert_eq!(found.get(&request.request_id), Some(&(event_type.to_owned(), road.to_owned())), "{end:?}");
    }
    balance(world).await;
}

async fn balance(world: &World) -> GatewayCounts {
    let counts = world.counts().await;
    assert_eq!(counts.lines, counts.rows + counts.duplicates + counts.quarantined, "{counts:?}");
    let gateway = counts.gateway;
    let known = gateway.rows + gateway.answered + gateway.duplicates + gateway.quarantined + gateway.waiting();
    assert_eq!(gateway.lines, known, "{gateway:?}");
    assert_eq!(counts.rows + gateway.rows, world.rows().await.len() as u64);
    gateway
}

/// One of each kind, a second apart.
fn one_of_each(start: i64) -> Vec<(Event, End)> {
    let ends = [End::Refused, End::Crashed, End::Handled];
    events(start as u64, start, 1_000_000, 3).into_iter().zip(ends).collect()
}

#[tokio::test]
async fn a_refusal_is_folded_at_once_and_a_crash_once_it_is_certain() {
    let world = World::new().await;
    let sent = one_of_each(DAY);
    put_lines(&world, &gateway_key(0, "a"), DAY, &sent);
    run(&world, DAY).await;
    check(&world, &sent[..1]).await;
    world.put_events(&key(0, "late"), &[sent[2].0.clone()]);
    run(&world, DAY + SETTLE - 1).await;
    check(&world, &[sent[0].clone(), sent[2].clone()]).await;
    assert_eq!(run(&world, DAY + SETTLE - 1).await.commits, 0, "nothing is due");
    run(&world, DAY + SETTLE).await;
    check(&world, &sent).await;
    let counts = world.counts().await.gateway;
    let expect = GatewayCounts { objects: 1, lines: 3, rows: 2, answered: 1, deferred: 2, settled: 2, ..counts };
    assert_eq!((counts, counts.duplicates + counts.quarantined), (expect, 0));
    assert_eq!(run(&world, DAY + 9 * SETTLE).await.commits, 0, "each object is settled once");
}

#[tokio::test]
async fn before_after_or_in_the_same_run_as_the_event() {
    for event_comes in ["before", "with", "after"] {
        let world = World::new().await;
        let sent = one_of_each(DAY);
        if event_comes == "before" {
            world.put_events(&key(0, "e"), &[sent[2].0.clone()]);
            run(&world, DAY).await;
        }
        put_lines(&world, &gateway_key(0, "a"), DAY, &sent);
        if event_comes == "after" {
            run(&world, DAY).await;
        }
        if event_comes != "before" {
            world.put_events(&key(1, "e"), &[sent[2].0.clone()]);
        }
        let summary = run(&world, DAY + SETTLE).await;
        check(&world, &sent).await;
        assert_eq!(summary.commits, 1, "{event_comes}: both logs share a commit");
    }
}

#[tokio::test]
async fn without_a_gateway_its_log_is_left_alone() {
    let world = World::new().await;
    put_lines(&world, &gateway_key(0, "a"), DAY, &one_of_each(DAY));
    assert_eq!(world.compact().await, Summary::default());
}

#[tokio::test]
async fn lines_that_were_delivered_twice_are_one_row() {
    let world = World::new().await;
    let sent = one_of_each(DAY);
    world.put_events(&key(0, "e"), &[sent[2].0.clone()]);
    put_lines(&world, &gateway_key(0, "a"), DAY, &[&sent[..], &sent[..]].concat());
    put_lines(&world, &gateway_key(0, "b"), DAY, &sent);
    run(&world, DAY).await;
    put_lines(&world, &gateway_key(2, "c"), DAY + 2 * HOUR, &sent);
    for hours in [3, 25, 26, 27, 28] {
        run(&world, DAY + hours * HOUR).await;
    }
    check(&world, &sent).await;
    let counts = world.counts().await.gateway;
    assert_eq!((counts.objects, counts.lines, counts.rows, counts.waiting()), (3, 12, 2, 0));
}

#[tokio::test]
async fn requests_at_midnight_and_clocks_that_differ() {
    let world = World::new().await;
    let minute = 60_000_000;
    let mut sent = Vec::new();
    let mut late = Vec::new();
    for (number, (request_at, skew)) in
        [(DAY - 1_000, 2_000), (DAY + 1_000, -2_000), (DAY - minute, 9 * minute), (DAY + minute, -9 * minute)]
            .into_iter()
            .enumerate()
    {
        let request = events(number as u64, request_at, 1, 1).remove(0);
        let received_at = at(request_at + skew);
        late.push(Event { received_at, ..request.clone() }.sealed());
        sent.push((request, End::Handled));
    }
    put_lines(&world, &gateway_key(0, "a"), DAY, &sent);
    run(&world, DAY).await;
    world.put_events(&key(3, "e"), &late);
    run(&world, DAY + 3 * HOUR).await;
    run(&world, DAY + SETTLE).await;
    check(&world, &sent).await;
    assert_eq!(world.counts().await.gateway.answered, 4);
}

#[tokio::test]
async fn the_table_s_day_may_not_be_closed_while_lines_wait() {
    let world = World::new().await;
    let sent = one_of_each(DAY);
    put_lines(&world, &gateway_key(0, "a"), DAY, &sent[..2]);
    let options = Options { settle: Duration::from_micros(200 * HOUR as u64), ..options() };
    let run = async |now: i64| {
        let run = Compaction::new(&world.lake, world.raw(), options.clone()).with_gateway(gateway());
        run.run(at(now), &random).await.unwrap()
    };
    for day in 0..8 {
        world.put_events(&key(day * 24, "e"), &events(100 + day as u64, DAY + day * 24 * HOUR, 1, 1));
        run(DAY + day * 24 * HOUR).await;
    }
    assert_eq!(balance(&world).await.waiting(), 1);
    run(DAY + 200 * HOUR).await;
    assert_eq!(balance(&world).await.waiting(), 0);
    let rows = world.rows().await;
    assert_eq!(rows.values().filter(|row| column(row, "event_type") == "request.failed").count(), 1);
    let set = compactor::lake::ConsumedSet::of(&world.lake.load().await.unwrap()).await.unwrap();
    assert_eq!(set.from_day(), Some("2026-11-24"), "the day is closed once it is settled");
    assert!(set.is_settled(&gateway_key(0, "a")));
}

#[tokio::test]
async fn bad_lines_and_damaged_objects_are_quarantined_once() {
    let world = World::new().await;
    let sent = one_of_each(DAY);
    let bad = [&text(sent.clone())[..], b"{}\nno line\n\n\xff\xfe\n"].concat();
    world.log.put(gateway_key(0, "bad"), bad, at(DAY));
    let whole = gzip(&text(sent.clone()));
    world.log.put(gateway_key(0, "torn"), whole[..whole.len() - 4].to_vec(), at(DAY));
    for hours in [0, 25] {
        run(&world, DAY + hours * HOUR).await;
    }
    let counts = balance(&world).await;
    assert_eq!((counts.lines, counts.rows, counts.waiting()), (6 + 4, 3, 0), "{counts:?}");
    assert_eq!(counts.quarantined, 3 + 4, "three bad lines; of the torn object its lines and its end");
    let raw = world.raw();
    let mut reasons = Vec::new();
    for object in raw.list_quarantine().await.unwrap() {
        for line in compactor::read_quarantine(&raw, &object.key).await.unwrap() {
            assert!(line.raw_object.starts_with("gateway/"));
            reasons.push(line.reason);
        }
    }
    assert_eq!(reasons.len(), 7, "{reasons:?}");
    assert_eq!(reasons.iter().filter(|reason| reason.contains("vouches")).count(), 3);
}

#[tokio::test]
async fn killed_between_any_two_steps_the_next_run_settles_the_rest() {
    for step in Step::ALL {
        let world = World::new().await;
        let sent = one_of_each(DAY);
        put_lines(&world, &gateway_key(0, "a"), DAY, &sent);
        put_lines(&world, &gateway_key(0, "b"), DAY, &sent);
        for now in [DAY, DAY + SETTLE] {
            if now > DAY {
                world.put_events(&key(1, "e"), &[sent[2].0.clone()]);
            }
            let killed = |at: Step| if at == step { Err(Error::new(ErrorKind::Stopped, "killed")) } else { Ok(()) };
            let killed =
                Compaction::new(&world.lake, world.raw(), options()).with_gateway(gateway()).with_failpoint(killed);
            assert_eq!(killed.run(at(now), &random).await.unwrap_err().kind(), ErrorKind::Stopped, "{step:?}");
            run(&world, now).await;
        }
        check(&world, &sent).await;
        let counts = world.counts().await.gateway;
        assert_eq!((counts.objects, counts.lines, counts.duplicates), (2, 6, 2), "{step:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_compactors_at_once() {
    let world = World::new().await;
    let mut sent = Vec::new();
    for hour in 0..6 {
        let requests = one_of_each(DAY + hour * HOUR);
        put_lines(&world, &gateway_key(hour, "a"), DAY + hour * HOUR, &requests);
        world.put_events(&key(hour, "e"), &[requests[2].0.clone()]);
        sent.extend(requests);
    }
    for now in [DAY + 6 * HOUR, DAY + 5 * HOUR + SETTLE] {
        let runs = (0..16).map(|_| {
            let (folder, raw) = (world.folder.path().to_owned(), world.raw());
            tokio::spawn(async move {
                let lake = compactor::Lake::open(&folder).await.unwrap();
                let options = Options { commit_bytes: 1, max_conflicts: 1_000, ..options() };
                Compaction::new(&lake, raw, options).with_gateway(gateway()).run(at(now), &random).await.unwrap()
            })
        });
        for run in runs.collect::<Vec<_>>() {
            run.await.unwrap();
        }
    }
    check(&world, &sent).await;
    let counts = world.counts().await.gateway;
    assert_eq!((counts.objects, counts.lines, counts.answered, counts.waiting()), (6, 18, 6, 0));
}

#[tokio::test]
async fn a_folder_that_was_copied_has_its_gateway_folded_in() {
    let folder = tempfile::tempdir().unwrap();
    let sent = one_of_each(DAY);
    let put = |key: &str, bytes: Vec<u8>| {
        let path = folder.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    put(&gateway_key(0, "a"), gzip(&text(sent.clone())));
    put(&key(0, "e"), gzip(&crate::support::lines(&[sent[2].0.clone()])));
    let lake = compactor::Lake::open(folder.path()).await.unwrap();
    let raw = std::sync::Arc::new(compactor::DirRawLog::new(folder.path()));
    let options = Options { settle: Duration::ZERO, ..options() };
    // Files are as old as the copy; `now` is later than that.
    let now = at(4_000_000_000_000_000);
    let run = Compaction::new(&lake, raw, options).with_gateway(gateway()).run(now, &random).await.unwrap();
    let expect = GatewayCounts { objects: 1, lines: 3, rows: 2, answered: 1, ..GatewayCounts::default() };
    assert_eq!((run.counts.rows, run.counts.gateway, run.commits), (1, expect, 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, fork: false, ..ProptestConfig::default() })]
    #[test]
    fn any_order_of_arrival_any_kill_any_repetition(seed: u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(interleave(seed));
    }
}

/// Sixty requests over 40 hours. Each line arrives within an hour, some twice, an hour later the second time; each
/// event within 24 hours, some twice. A run every few hours, every other one killed somewhere.
async fn interleave(seed: u64) {
    let world = World::new().await;
    let mut dice = Random(seed);
    let mut sent = Vec::new();
    let mut arrivals: Vec<(i64, bool, usize)> = Vec::new();
    for (index, request) in events(seed, DAY - 20 * HOUR, 40 * HOUR / 60, 60).into_iter().enumerate() {
        let end = [End::Refused, End::Crashed, End::Handled, End::Handled][dice.below(4) as usize];
        let hours = |dice: &mut Random, most: u64| (dice.below(most * 60) as i64 + 1) * 60_000_000;
        let time = request.received_at.micros();
        arrivals.push((time + hours(&mut dice, 1), true, index));
        if dice.below(3) == 0 {
            arrivals.push((time + HOUR + hours(&mut dice, 1), true, index));
        }
        let copies = if end == End::Handled { 1 + dice.below(3) / 2 } else { 0 };
        (0..copies).for_each(|_| arrivals.push((time + hours(&mut dice, 24), false, index)));
        sent.push((request, end));
    }
    arrivals.sort_unstable();
    let (mut now, mut number) = (DAY - 20 * HOUR, 0);
    while now < DAY + 80 * HOUR {
        let next = now + (1 + dice.below(6) as i64) * HOUR;
        for is_line in [true, false] {
            let due = arrivals.iter().filter(|(time, line, _)| (now..next).contains(time) && *line == is_line);
            let due: Vec<(Event, End)> = due.map(|(_, _, index)| sent[*index].clone()).collect();
            for part in due.chunks(1 + dice.below(9) as usize) {
                number += 1;
                let hour = (next - DAY).div_euclid(HOUR) - 1;
                // Put there at the end of its hour: never before the events of the requests it is about.
                match is_line {
                    true => put_lines(&world, &gateway_key(hour, &format!("{number}")), next - 1, part),
                    false => {
                        let events: Vec<Event> = part.iter().map(|(request, _)| request.clone()).collect();
                        world.put_events(&key(hour, &format!("{number}")), &events);
                    }
                }
            }
        }
        now = next;
        if dice.below(2) == 0 {
            let (step, passed) = (dice.below(6), std::sync::atomic::AtomicU64::new(0));
            let killed = |_: Step| {
                let passed = passed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if passed == step { Err(Error::new(ErrorKind::Stopped, "killed")) } else { Ok(()) }
            };
            let commit_bytes = [1, 512 << 20][dice.below(2) as usize];
            let killed = Compaction::new(&world.lake, world.raw(), Options { commit_bytes, ..options() })
                .with_gateway(gateway())
                .with_failpoint(killed);
            let _ = killed.run(at(now), &random).await;
        }
        if dice.below(3) > 0 {
            run(&world, now).await;
        }
    }
    run(&world, DAY + 200 * HOUR).await;
    check(&world, &sent).await;
    assert_eq!(world.counts().await.gateway.waiting(), 0);
}
