//! Whole compactions: raw objects on S3 in, a table in Glue out.

use compactor::{Compaction, Options, QUARANTINE_REASON_DAMAGED, compact, read_quarantine};

use crate::support::{DAY, HOUR, at, events, gzip, key, lines, random};
use crate::world::World;

#[tokio::test]
async fn every_line_becomes_its_row_and_the_second_run_does_nothing() {
    let world = World::new().await;
    let input = events(1, DAY - 2 * HOUR, 60_000_000, 600);
    world.put_events(&key(0, "a"), &input[..400]).await;
    world.put_events(&key(1, "b"), &input[300..]).await;
    let (lake, options) = (world.lake().await, Options::default().forced());
    let summary = Compaction::new(&lake, world.raw(), options).run(at(DAY + 24 * HOUR), &random).await.unwrap();
    let counts = summary.counts;
    assert_eq!((counts.objects, counts.lines, counts.rows, counts.duplicates), (2, 700, 600, 100));
    assert_eq!((summary.commits, summary.files, summary.left.objects), (1, 2, 0));
    world.check(&input).await;
    let before = world.keys("").await;
    assert_eq!(world.compact().await, compactor::Summary::default());
    assert_eq!(world.keys("").await, before, "nothing was written");
    world.put_events(&key(30, "again"), &input).await;
    assert_eq!(world.compact().await.counts.duplicates, 600);
    world.check(&input).await;
}

/// What Firehose, its stand-in and a bad day leave in a bucket.
#[tokio::test]
async fn hostile_objects_are_kept_apart_and_the_run_goes_on() {
    let world = World::new().await;
    let input = events(2, DAY, 1_000, 300);
    let part = |index: usize| &input[index * 50..(index + 1) * 50];
    world.put(&key(0, "plain"), lines(part(0))).await;
    let members: Vec<u8> = lines(part(1)).chunks(997).flat_map(gzip).collect();
    world.put(&key(1, "members"), members).await;
    let whole = gzip(&lines(part(2)));
    world.put(&key(2, "truncated"), &whole[..whole.len() - 9]).await;
    let mut flipped = gzip(&lines(part(3)));
    let middle = flipped.len() / 2;
    flipped[middle] ^= 4;
    world.put(&key(3, "flipped"), flipped).await;
    world.put(&key(4, "bad-line"), gzip(&[&lines(part(4))[..], b"{\"event_id\":1}\n"].concat())).await;
    world.put(&key(5, "empty"), Vec::new()).await;
    world.put("raw/fallback/undated.ndjson.gz", gzip(&lines(part(5)))).await;
    let counts = world.compact().await.counts;
    assert_eq!(counts.objects, 7);
    assert_eq!(counts.lines, counts.rows + counts.duplicates + counts.quarantined);
    let rows = world.rows().await;
    for whole in [part(0), part(1), part(4), part(5)] {
        assert!(whole.iter().all(|event| rows.contains_key(&event.event_id.to_string())));
    }
    assert!(rows.keys().all(|id| input.iter().any(|event| event.event_id.to_string() == *id)), "nothing was made up");
    let raw = world.raw();
    let mut damaged = Vec::new();
    for object in raw.list_quarantine().await.unwrap() {
        let lines = read_quarantine(&raw, &object.key).await.unwrap();
        damaged.extend(lines.into_iter().filter(|line| line.reason.starts_with(QUARANTINE_REASON_DAMAGED)));
    }
    let mut damaged: Vec<String> = damaged.into_iter().map(|line| line.raw_object).collect();
    damaged.sort();
    assert_eq!(damaged, [key(2, "truncated"), key(3, "flipped")]);
    assert_eq!(world.compact().await.commits, 0);
}

#[tokio::test]
async fn more_than_a_chunk_makes_several_commits() {
    let world = World::new().await;
    let input = events(3, DAY, 1_000_000, 1_800);
    for (index, part) in input.chunks(300).enumerate() {
        world.put_events(&key(index as i64, "a"), part).await;
    }
    let options = Options { commit_bytes: 1, ..Options::default().forced() };
    let summary = compact(&world.lake().await, world.raw(), at(DAY), options, &random).await.unwrap();
    assert!(summary.commits > 2, "{summary:?}");
    world.check(&input).await;
}
