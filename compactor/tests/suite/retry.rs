//! Quarantined lines, tried again: what can be helped is in the table after the next compaction, once; the rest is left.

use compactor::{
    Limits, Options, QuarantinedLine, Retry, Summary, Verdict, Written, count_raw, lines_up_to_damage, read_quarantine,
};
use event::Event;

use crate::support::{DAY, HOUR, World, at, events, gzip, key, lines, random};

const LATER: i64 = DAY + 50 * HOUR;

fn limits(line_bytes: usize) -> Limits {
    Limits { line_bytes, ..Limits::default() }
}

/// Tries everything in quarantine again, `micros` after the day's beginning.
async fn retry(world: &World, limits: Limits, micros: i64) -> (Vec<Verdict>, Vec<Written>) {
    let quarantine = world.raw().list_quarantine().await.unwrap();
    let retry = Retry::new(world.raw(), &quarantine, limits).await.unwrap();
    let (mut verdicts, mut written) = (Vec::new(), Vec::new());
    for object in &quarantine {
        let lines = read_quarantine(&world.raw(), &object.key).await.unwrap();
        let done = retry.run(lines, |_| true, at(micros)).await.unwrap();
        verdicts.extend(done.0);
        written.extend(done.1);
    }
    (verdicts, written)
}

/// The marks of everything in quarantine.
async fn earlier(world: &World) -> Vec<Option<String>> {
    let quarantine = world.raw().list_quarantine().await.unwrap();
    let retry = Retry::new(world.raw(), &quarantine, Limits::default()).await.unwrap();
    let mut marks = Vec::new();
    for object in &quarantine {
        marks.extend(retry.earlier(&read_quarantine(&world.raw(), &object.key).await.unwrap()).await.unwrap());
    }
    marks
}

async fn compact_with(world: &World, limits: Limits) -> Summary {
    let options = Options { limits, ..Options::default() }.forced();
    compactor::compact(&world.lake, world.raw(), at(LATER), options, &random).await.unwrap()
}

fn outcomes(verdicts: &[Verdict]) -> Vec<(u64, u64, bool)> {
    verdicts.iter().map(|verdict| (verdict.line.line, verdict.events, verdict.refused.is_some())).collect()
}

/// What is in the table is what is expected, once, and the log holds as many lines as the counts say (I7).
async fn check(world: &World, expect: &[Event], repaired: &[(&str, u64)]) {
    world.check(expect).await;
    let raw = world.raw();
    let mut lines = 0;
    for object in raw.list(None).await.unwrap() {
        lines += match repaired.iter().find(|(key, _)| *key == object.key) {
            Some((_, damage)) => lines_up_to_damage(&raw, &object, *damage, Limits::default()).await.unwrap(),
            None => count_raw(&raw, &[object], Limits::default()).await.unwrap().lines,
        };
    }
    assert_eq!(lines, world.counts().await.lines);
}

#[tokio::test]
async fn what_cannot_be_helped_is_left_as_it_is() {
    let world = World::new().await;
    let input = events(1, DAY, 1, 4);
    let forged = Event { status: 999, ..input[3].clone() };
    world.put(&key(0, "bad"), gzip(b"not json\nnot json\n\xff\xfe\n{}\n"));
    let damaged = gzip(&lines(&[&input[..2], &[forged]].concat()));
    world.put(&key(1, "damaged"), &damaged[..damaged.len() - 1]);
    world.put("gateway/dt=2026-11-20/hour=00/a.gz", gzip(b"none\n"));
    assert_eq!(world.compact().await.counts.quarantined, 6);
    let before = world.raw().list(None).await.unwrap();
    let (verdicts, written) = retry(&world, Limits::default(), LATER).await;
    assert!(written.is_empty() && verdicts.len() == 6, "{verdicts:?}");
    assert!(verdicts.iter().all(|verdict| verdict.events == 0 && verdict.refused.is_some()), "{verdicts:?}");
    let of_damaged: Vec<_> = verdicts.iter().filter(|verdict| verdict.line.raw_object == key(1, "damaged")).collect();
    assert!(of_damaged[0].refused.as_deref().unwrap().contains("event_hash does not fit"), "{of_damaged:?}");
    assert!(of_damaged[1].refused.as_deref().unwrap().contains("cannot be read from here on"), "{of_damaged:?}");
    assert_eq!(world.raw().list(None).await.unwrap(), before);
    assert_eq!(earlier(&world).await, [const { None }; 6]);
}

#[tokio::test]
async fn a_long_line_is_allowed_later() {
    let world = World::new().await;
    let mut input = events(2, DAY, 1, 5);
    input[2] = Event { request_body: Some("x".repeat(100_000)), ..input[2].clone() }.sealed();
    world.put_events(&key(0, "long"), &input);
    assert_eq!(compact_with(&world, limits(50_000)).await.counts.quarantined, 1);

    let (verdicts, written) = retry(&world, limits(50_000), LATER).await;
    assert_eq!((outcomes(&verdicts), written.len()), (vec![(3, 0, true)], 0));
    assert_eq!(verdicts[0].refused.as_deref(), Some("longer than 50000 bytes"));

    let (verdicts, written) = retry(&world, Limits::default(), LATER).await;
    assert_eq!((outcomes(&verdicts), written[0].events, written[0].known), (vec![(3, 1, false)], 1, false));
    assert!(written[0].key.starts_with("raw/dt=2026-11-22/hour=02/retry-"), "{written:?}");
    assert_eq!(earlier(&world).await, [Some(written[0].key.clone())]);
    let counts = compact_with(&world, Limits::default()).await.counts;
    assert_eq!((counts.rows, counts.duplicates, counts.quarantined), (1, 0, 0));
    check(&world, &input, &[]).await;

    let (_, again) = retry(&world, Limits::default(), LATER + 30 * HOUR).await;
    assert_eq!((&again[0].key, again[0].known), (&written[0].key, true), "the same on another day");
    assert_eq!(compact_with(&world, Limits::default()).await.commits, 0);
}

#[tokio::test]
async fn a_long_line_of_an_object_that_is_gone_is_lost() {
    let world = World::new().await;
    let long = Event { request_body: Some("x".repeat(100_000)), ..events(2, DAY, 1, 1).remove(0) }.sealed();
    world.put_events(&key(0, "long"), &[long]);
    compact_with(&world, limits(50_000)).await;
    let quarantine = world.raw().list_quarantine().await.unwrap();
    let lines = read_quarantine(&world.raw(), &quarantine[0].key).await.unwrap();
    let elsewhere = World::new().await;
    let retry = Retry::new(elsewhere.raw(), &quarantine, Limits::default()).await.unwrap();
    let (verdicts, written) = retry.run(lines, |_| true, at(LATER)).await.unwrap();
    assert!(written.is_none() && verdicts[0].refused.as_deref().unwrap().contains("is gone"), "{verdicts:?}");
}

#[tokio::test]
async fn a_repaired_object_gives_back_what_was_lost() {
    let world = World::new().await;
    let input = events(3, DAY, 1, 2_000);
    let (whole, name) = (gzip(&lines(&input)), key(0, "cut"));
    world.put(&name, &whole[..whole.len() / 2]);
    let kept = world.compact().await.counts.rows;
    let (verdicts, _) = retry(&world, Limits::default(), LATER).await;
    assert_eq!(outcomes(&verdicts), [(kept + 1, 0, true)], "not while it is damaged");
    check(&world, &input[..kept as usize], &[(&name, kept + 1)]).await;

    world.put(&name, whole);
    check(&world, &input[..kept as usize], &[(&name, kept + 1)]).await;
    let (verdicts, written) = retry(&world, Limits::default(), LATER).await;
    assert_eq!(outcomes(&verdicts), [(kept + 1, 2_000 - kept, false)]);
    assert_eq!((written[0].events, earlier(&world).await[0].as_ref()), (2_000 - kept, Some(&written[0].key)));
    retry(&world, Limits::default(), LATER + HOUR).await;
    let counts = world.compact().await.counts;
    assert_eq!((counts.rows, counts.duplicates), (2_000 - kept, 0));
    check(&world, &input, &[(&name, kept + 1)]).await;
}

/// Wherever the bit is: what comes back is the whole, nothing else, and the balance holds.
#[tokio::test]
async fn whatever_bit_was_flipped_a_sound_copy_makes_it_good() {
    let input = events(4, DAY, 1, 120);
    let whole = gzip(&lines(&input));
    for place in (10..whole.len()).step_by(whole.len() / 17) {
        let (world, name) = (World::new().await, key(0, "flipped"));
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        world.put(&name, flipped);
        world.compact().await;
        let damage = damage(&world).await;
        world.put(&name, whole.clone());
        let (verdicts, _) = retry(&world, Limits::default(), LATER).await;
        assert!(verdicts.iter().all(|verdict| verdict.refused.is_none()), "byte {place}: {verdicts:?}");
        world.compact().await;
        check(&world, &input, &[(&name, damage)]).await;
        let (_, written) = retry(&world, Limits::default(), LATER + HOUR).await;
        assert!(written.iter().all(|written| written.known), "byte {place}");
    }
}

async fn damage(world: &World) -> u64 {
    let quarantine = world.raw().list_quarantine().await.unwrap();
    let lines = read_quarantine(&world.raw(), &quarantine[0].key).await.unwrap();
    lines.iter().find(|line| line.is_damage()).unwrap().line
}

#[tokio::test]
async fn a_line_in_a_repaired_object_that_nothing_proves_stays_out() {
    let world = World::new().await;
    let input = events(5, DAY, 1, 40);
    let (whole, name) = (gzip(&lines(&input)), key(0, "cut"));
    world.put(&name, &whole[..whole.len() / 2]);
    let kept = world.compact().await.counts.rows as usize;
    let mut wrong = input.clone();
    wrong[38] = Event { status: 999, ..input[38].clone() };
    world.put(&name, gzip(&[&lines(&wrong)[..], b"\nnot json\n"].concat()));
    let (verdicts, _) = retry(&world, Limits::default(), LATER).await;
    assert_eq!(outcomes(&verdicts), [(kept as u64 + 1, 39 - kept as u64, true)]);
    world.compact().await;
    wrong.remove(38);
    check(&world, &wrong, &[(&name, kept as u64 + 1)]).await;
}

/// As an earlier version would have left it: a line that this one takes.
#[tokio::test]
async fn a_line_that_this_version_takes_needs_no_raw_object() {
    let world = World::new().await;
    let input = events(6, DAY, 1, 2);
    let line = |raw_object: &str, line, event: &Event| QuarantinedLine {
        raw_object: raw_object.to_owned(),
        line,
        reason: "unknown event type".to_owned(),
        cut: false,
        text: Some(String::from_utf8(event.to_line()).unwrap()),
        base64: None,
    };
    let unsealed = Event { status: 999, ..input[1].clone() };
    let retry = Retry::new(world.raw(), &[], Limits::default()).await.unwrap();
    let raw = vec![line("raw/dt=2026-11-20/hour=00/a.gz", 7, &unsealed), line("raw/…", 3, &input[0])];
    let (verdicts, written) = retry.run(raw, |line| line.line > 3, at(LATER)).await.unwrap();
    assert_eq!((outcomes(&verdicts), written.unwrap().events), (vec![(7, 1, false)], 1), "what is wanted");
    let stream = vec![line("arn:aws:dynamodb:…", 1, &unsealed), line("arn:aws:dynamodb:…", 2, &input[0])];
    let (verdicts, _) = retry.run(stream, |_| true, at(LATER)).await.unwrap();
    assert_eq!(outcomes(&verdicts), [(1, 0, true), (2, 1, false)], "no object vouched for it");
    world.compact().await;
    check(&world, &[unsealed, input[0].clone()], &[]).await;
    assert_eq!(retry.run(Vec::new(), |_| true, at(LATER)).await.unwrap(), (Vec::new(), None));
}

#[tokio::test]
async fn blank_lines_do_not_upset_the_balance() {
    let world = World::new().await;
    let input = events(7, DAY, 1, 400);
    let text = [&b"\n \n"[..], &lines(&input[..2]), b"\n", &lines(&input[2..])].concat();
    let (whole, name) = (gzip(&text), key(0, "cut"));
    world.put(&name, &whole[..whole.len() / 2]);
    let kept = world.compact().await.counts.rows as usize;
    let damage = damage(&world).await;
    assert_eq!(damage, kept as u64 + 4);
    check(&world, &input[..kept], &[(&name, damage)]).await;
    world.put(&name, whole);
    retry(&world, Limits::default(), LATER).await;
    world.compact().await;
    check(&world, &input, &[(&name, damage)]).await;
}
