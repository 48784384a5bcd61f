//! Objects and lines that are not as they should be: kept apart with a reason, while the rest goes on.

use compactor::{Limits, Options, QUARANTINE_REASON_DAMAGED, QuarantinedLine, count_raw, read_quarantine};

use crate::support::{DAY, Random, World, at, events, gzip, key, lines, random};

async fn quarantined(world: &World) -> Vec<QuarantinedLine> {
    let raw = world.raw();
    let mut all = Vec::new();
    for object in raw.list_quarantine().await.unwrap() {
        all.extend(read_quarantine(&raw, &object.key).await.unwrap());
    }
    all
}

/// Whether the counts say the same as a count of the raw log does (I7).
async fn check_lines(world: &World) {
    let raw = world.raw();
    let counted = count_raw(&raw, &raw.list(None).await.unwrap(), Limits::default()).await.unwrap();
    let counts = world.counts().await;
    assert_eq!((counted.objects, counted.lines), (counts.objects, counts.lines));
}

#[tokio::test]
async fn one_bad_line_among_good() {
    let world = World::new().await;
    let input = events(1, DAY, 1, 4);
    let text = [&lines(&input[..2])[..], b"{\"event_id\":\n\n  \nnot json\xff\n", &lines(&input[2..])].concat();
    world.put(&key(0, "a"), gzip(&text));
    let counts = world.compact().await.counts;
    assert_eq!((counts.lines, counts.rows, counts.quarantined), (6, 4, 2));
    world.check(&input).await;
    let bad = quarantined(&world).await;
    assert_eq!(bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [3, 6]);
    assert!(bad.iter().all(|bad| bad.raw_object == key(0, "a") && !bad.reason.is_empty() && !bad.cut));
    assert_eq!(bad[0].text.as_deref(), Some("{\"event_id\":"));
    assert_eq!(bad[1].base64.as_deref(), Some("bm90IGpzb27/"));
    check_lines(&world).await;
}

#[tokio::test]
async fn nothing_but_bad_lines_is_consumed_too() {
    let world = World::new().await;
    world.put(&key(0, "a"), gzip(b"x\ny\n"));
    let summary = world.compact().await;
    assert_eq!((summary.counts.rows, summary.counts.quarantined, summary.commits, summary.files), (0, 2, 1, 0));
    assert_eq!(world.compact().await.commits, 0);
    world.check(&[]).await;
    let input = events(1, DAY, 1, 4);
    world.put_events(&key(0, "b"), &input);
    world.compact().await;
    world.check(&input).await;
}

#[tokio::test]
async fn plain_text_under_a_gzip_name_many_members_and_no_last_line_feed() {
    let world = World::new().await;
    let input = events(2, DAY, 1, 40);
    world.put(&key(0, "plain"), lines(&input[..10]));
    let text = lines(&input[10..30]);
    // Members may end within a line: together they are one text.
    world.put(&key(0, "members"), text.chunks(997).flat_map(gzip).collect::<Vec<u8>>());
    let open_end = lines(&input[30..]);
    world.put(&key(0, "open-end"), gzip(&open_end[..open_end.len() - 1]));
    world.put(&key(0, "crlf"), lines(&input[..1]).strip_suffix(b"\n").map(|line| [line, b"\r\n"].concat()).unwrap());
    let counts = world.compact().await.counts;
    assert_eq!((counts.rows, counts.duplicates, counts.quarantined), (40, 1, 0));
    world.check(&input).await;
    check_lines(&world).await;
}

#[tokio::test]
async fn empty_objects() {
    let world = World::new().await;
    world.put(&key(0, "empty"), Vec::new());
    world.put(&key(0, "empty-member"), gzip(b""));
    world.put(&key(0, "one-byte"), vec![0x1f]);
    let counts = world.compact().await.counts;
    assert_eq!((counts.objects, counts.lines, counts.quarantined), (3, 1, 1));
    check_lines(&world).await;
}

#[tokio::test]
async fn a_truncated_object_keeps_the_lines_before_the_end() {
    let world = World::new().await;
    let input = events(3, DAY, 1, 2_000);
    let whole = gzip(&lines(&input));
    world.put(&key(0, "cut"), &whole[..whole.len() / 2]);
    world.put_events(&key(1, "good"), &input[1_990..]);
    let counts = world.compact().await.counts;
    assert!(counts.rows > 500 && counts.rows < 1_500, "{counts:?}");
    assert_eq!((counts.quarantined, counts.lines), (1, counts.rows + 1));
    world.check(&[&input[..counts.rows as usize - 10], &input[1_990..]].concat()).await;
    let bad = quarantined(&world).await;
    assert!(bad[0].reason.starts_with(QUARANTINE_REASON_DAMAGED) && bad[0].cut, "{}", bad[0].reason);
    assert_eq!(bad[0].line, counts.rows - 10 + 1);
    check_lines(&world).await;
}

#[tokio::test]
async fn a_flipped_bit_lets_no_wrong_line_in() {
    let input = events(4, DAY, 1, 300);
    let whole = gzip(&lines(&input));
    for place in (10..whole.len()).step_by(whole.len() / 23) {
        let world = World::new().await;
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        world.put(&key(0, "flipped"), flipped);
        world.put_events(&key(1, "good"), &input[..2]);
        let counts = world.compact().await.counts;
        assert_eq!(counts.lines, counts.rows + counts.duplicates + counts.quarantined);
        let found = world.rows().await;
        for event in &input {
            if let Some(row) = found.get(&event.event_id.to_string()) {
                assert_eq!(row[..event::LINE_COLUMNS], crate::support::row(event)[..], "bit of byte {place}");
            }
        }
        let known: std::collections::HashSet<_> = input.iter().map(|event| event.event_id.to_string()).collect();
        assert!(found.keys().all(|id| known.contains(id)), "bit of byte {place}: an event that never was");
        check_lines(&world).await;
    }
}

#[tokio::test]
async fn a_flipped_bit_that_still_inflates_is_found_by_the_hash() {
    let world = World::new().await;
    let input = events(5, DAY, 1, 3);
    let mut text = lines(&input);
    // Stored, not compressed: the flip changes one digit of the first line's status and nothing else.
    let place = text.windows(12).position(|window| window == br#""status":201"#).unwrap() + 11;
    let mut stored = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut stored, &text).unwrap();
    let mut object = stored.finish().unwrap();
    let within = object.windows(text.len()).position(|window| window == text).unwrap();
    object[within + place] = b'4';
    text[place] = b'4';
    world.put(&key(0, "a"), object);
    let counts = world.compact().await.counts;
    assert_eq!((counts.rows, counts.quarantined, counts.lines), (2, 2, 4));
    world.check(&input[1..]).await;
    assert!(quarantined(&world).await[0].reason.contains("event_hash"));
}

#[tokio::test]
async fn bombs_are_cut_off() {
    let world = World::new().await;
    let input = events(6, DAY, 1, 5);
    let bomb = gzip(&[&lines(&input)[..], &vec![b' '; 80 << 20]].concat());
    assert!(bomb.len() < 1 << 20);
    world.put(&key(0, "spaces"), bomb);
    let mut many = lines(&input[..1]);
    many.extend(b"{}\n".repeat(5_000));
    world.put(&key(0, "lines"), gzip(&many));
    let limits = Limits { object_floor: 8 << 10, ..Limits::default() };
    let options = Options { limits, ..Options::default().forced() };
    let run = compactor::Compaction::new(&world.lake, world.raw(), options).run(at(DAY), &random).await.unwrap();
    assert_eq!(run.counts.lines, run.counts.rows + run.counts.duplicates + run.counts.quarantined);
    let bad = quarantined(&world).await;
    assert!(bad.iter().any(|bad| bad.raw_object.contains("spaces") && bad.reason.contains("inflates to more than")));
    world.check(&input).await;
}

#[tokio::test]
async fn a_line_too_long_is_kept_in_part_and_the_next_one_is_read() {
    let world = World::new().await;
    let input = events(7, DAY, 1, 2);
    let long = vec![b'x'; 200_000];
    let text = [&lines(&input[..1])[..], &long, b"\n", &lines(&input[1..])].concat();
    world.put(&key(0, "a"), gzip(&text));
    let limits = Limits { line_bytes: 100_000, ..Limits::default() };
    let options = Options { limits, ..Options::default().forced() };
    let run = compactor::Compaction::new(&world.lake, world.raw(), options).run(at(DAY), &random).await.unwrap();
    assert_eq!((run.counts.rows, run.counts.quarantined, run.counts.lines), (2, 1, 3));
    let bad = quarantined(&world).await;
    assert!(bad[0].cut && bad[0].line == 2 && bad[0].text.as_ref().unwrap().len() == 64 << 10);
    world.check(&input).await;
}

#[tokio::test]
async fn a_repeated_run_adds_nothing_to_quarantine() {
    let world = World::new().await;
    world.put(&key(0, "a"), gzip(b"x\n"));
    let stop = |step| match step {
        compactor::Step::Quarantined => Err(compactor::Error::new(compactor::ErrorKind::Stopped, "stop")),
        _ => Ok(()),
    };
    assert!(world.compaction().with_failpoint(stop).run(at(DAY), &random).await.is_err());
    assert_eq!(quarantined(&world).await.len(), 1, "durable before the commit");
    world.compact().await;
    assert_eq!(quarantined(&world).await.len(), 1);
    assert_eq!(world.counts().await.quarantined, 1);
}

#[tokio::test]
async fn a_flipped_bit_in_a_data_files_footer_is_an_error_or_harmless() {
    let world = World::new().await;
    let input = events(8, DAY, 1, 3);
    world.put_events(&key(0, "a"), &input);
    world.compact().await;
    world.put_events(&key(1, "b"), &input);
    let (table, raw) = (world.lake.load().await.unwrap(), world.raw());
    let day = world.folder.path().join("lake/daybook/requests/data/received_at_day=2026-11-20");
    let file = std::fs::read_dir(day).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    // A schema of Arrow's own stands in the footer, whose reader panics at types that it does not know.
    let schema = whole.windows(12).position(|window| window == b"ARROW:schema").unwrap();
    let mut random = Random(8);
    for _ in 0..400 {
        let place = schema + random.below((whole.len() - schema) as u64) as usize;
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << random.below(8);
        std::fs::write(&file, flipped).unwrap();
        if let Ok(tail) = compactor::tail(&table, &raw, at(DAY), Limits::default()).await {
            assert_eq!((tail.counts.rows, tail.counts.duplicates), (0, 3), "byte {place}");
        }
    }
}
