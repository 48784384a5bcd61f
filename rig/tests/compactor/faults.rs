//! Networks and services that fail, in every way that the proxy knows.

use std::io::Read;
use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use bytes::Bytes;
use compactor::{ErrorKind, Options};
use rig::plan::{Fault, Plan};

use crate::support::{DAY, Random, events, gzip, key, lines};
use crate::world::World;

async fn read(world: &World, key: &str) -> std::io::Result<Vec<u8>> {
    let mut reader = world.raw().open(key).await.unwrap();
    tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_body_that_breaks_off_is_read_on_and_never_taken_for_a_short_object() {
    let world = World::behind_proxy().await;
    let mut random = Random(1);
    let bytes: Vec<u8> = (0..1 << 16).flat_map(|_| random.bytes()).collect();
    world.put("raw/dt=2026-11-20/hour=00/a", bytes.clone()).await;
    for breaks in 1..=6 {
        world.proxy().take();
        world.proxy().play(Plan::none().during("s3:GetObject raw/", 1..=breaks, Fault::Truncate));
        assert!(read(&world, "raw/dt=2026-11-20/hour=00/a").await.unwrap() == bytes, "{breaks} breaks");
        assert_eq!(world.proxy().take().count("s3:GetObject raw/") as u64, breaks + 1);
    }
}

#[tokio::test]
async fn a_compaction_over_broken_connections_quarantines_nothing() {
    let world = World::behind_proxy().await;
    let input = events(1, DAY, 1_000, 500);
    world.put_events(&key(0, "gzip"), &input[..300]).await;
    world.put(&key(1, "plain"), lines(&input[300..])).await;
    let plan =
        Plan::none().during("s3:GetObject raw/", 1..=3, Fault::Truncate).on("s3:GetObject lake/", 2, Fault::Truncate);
    world.proxy().play(plan);
    let counts = world.compact().await.counts;
    assert_eq!((counts.rows, counts.quarantined), (500, 0));
    assert!(world.proxy().take().faults() >= 4);
    world.check(&input).await;
}

/// A connection that always breaks ends the run with nothing done, for the next one to do.
#[tokio::test]
async fn an_object_that_cannot_be_read_to_its_end_is_left_for_later() {
    let world = World::behind_proxy().await;
    let input = events(2, DAY, 1_000, 100);
    world.put_events(&key(0, "a"), &input).await;
    world.lake().await;
    world.proxy().play(Plan::none().always("s3:GetObject raw/", Fault::Truncate));
    let error = world.try_compact(Options::default()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::RawLog && error.is_retryable(), "{error}");
    assert!(error.to_string().contains("broke off"), "{error}");
    world.proxy().play(Plan::none());
    assert!(world.raw().list_quarantine().await.unwrap().is_empty());
    assert_eq!(world.compact().await.counts.rows, 100);
    world.check(&input).await;
}

#[tokio::test]
async fn an_object_that_was_replaced_is_not_spliced() {
    let world = World::behind_proxy().await;
    world.put("raw/dt=2026-11-20/hour=00/a", vec![b'a'; 300_000]).await;
    world.proxy().play(Plan::none().on("s3:GetObject raw/", 1, Fault::Truncate));
    let mut reader = world.raw().open("raw/dt=2026-11-20/hour=00/a").await.unwrap();
    world.put("raw/dt=2026-11-20/hour=00/a", vec![b'b'; 300_000]).await;
    let error = tokio::task::spawn_blocking(move || reader.read_to_end(&mut Vec::new()).unwrap_err()).await.unwrap();
    assert!(error.to_string().contains("PreconditionFailed"), "{error}");
}

#[tokio::test]
async fn quarantine_outlives_conflicts_and_lost_answers() {
    for fault in [Fault::Conflict, Fault::DropAfter, Fault::Unavailable, Fault::BreakOff, Fault::Duplicate] {
        let world = World::behind_proxy().await;
        world.proxy().play(Plan::none().during("s3:PutObject quarantine/", 1..=2, fault));
        let name = "quarantine/dt=2026-11-20/a.ndjson.gz";
        world.raw().quarantine(name, Bytes::from_static(b"bad")).await.unwrap();
        assert_eq!(read(&world, name).await.unwrap(), b"bad", "{fault:?}");
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_and_not_repeated() {
    for lost in 1..=3 {
        let world = World::behind_proxy().await;
        let input = events(3, DAY, 1, 100);
        world.put_events(&key(0, "a"), &input).await;
        world.proxy().play(Plan::none().during("glue:UpdateTable", 1..=lost, Fault::DropAfter));
        let summary = world.compact().await;
        assert_eq!((summary.commits, summary.counts.rows, summary.overtaken), (1, 100, 0), "{lost} answers lost");
        world.proxy().play(Plan::none());
        assert_eq!(world.compact().await.commits, 0);
        world.check(&input).await;
    }
}

#[tokio::test]
async fn a_commit_that_was_not_made_is_an_error_and_can_be_repeated() {
    let world = World::behind_proxy().await;
    let input = events(4, DAY, 1, 100);
    world.put_events(&key(0, "a"), &input).await;
    world.proxy().play(Plan::none().always("glue:UpdateTable", Fault::DropBefore));
    let error = world.try_compact(Options::default()).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("commit"), "{error}");
    world.proxy().play(Plan::none());
    assert_eq!(world.compact().await.counts.rows, 100);
    world.check(&input).await;
}

/// Somebody else changed the table's entry, but not the table: the plan is made anew.
#[tokio::test]
async fn a_conflict_over_the_entry_alone_is_planned_anew() {
    let world = World::behind_proxy().await;
    let input = events(5, DAY, 1, 100);
    world.put_events(&key(0, "a"), &input).await;
    world.proxy().play(Plan::none().on("glue:UpdateTable", 1, Fault::Conflict));
    let summary = world.compact().await;
    assert_eq!((summary.commits, summary.overtaken), (1, 1));
    world.check(&input).await;
}

/// The commit arrives when its sender has given up: the next run meets it, before or after.
#[tokio::test]
async fn a_commit_that_arrives_late_is_made_once() {
    let (late, soon) = (Duration::from_secs(3), Duration::from_millis(600));
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(soon).build();
    let config = cloud::sdk::config().await.into_builder().timeout_config(timeouts).build();
    for waits in [true, false] {
        let world = World::behind_proxy_with(config.clone()).await;
        let input = events(6, DAY, 1, 100);
        world.put_events(&key(0, "a"), &input).await;
        world.lake().await;
        world.proxy().play(Plan::none().during("glue:UpdateTable", 1..=3, Fault::Delay(late)));
        let first = world.try_compact(Options::default()).await;
        world.proxy().play(Plan::none());
        if waits {
            world.proxy().heal().await;
        }
        let again = world.compact().await;
        world.proxy().heal().await;
        assert!(first.is_err(), "{first:?}");
        assert_eq!(again.commits == 0, waits, "a commit that has arrived is not made again");
        world.check(&input).await;
        assert_eq!(world.counts().await.objects, 1);
    }
}

/// Parts, their completion, and the answers to both get lost.
#[tokio::test]
async fn a_large_file_is_whole_or_absent() {
    let operations = ["s3:CreateMultipartUpload lake/", "s3:UploadPart lake/", "s3:CompleteMultipartUpload lake/"];
    for operation in operations {
        for fault in [Fault::DropAfter, Fault::DropBefore, Fault::Unavailable, Fault::BreakOff] {
            for times in [1, u64::MAX] {
                let world = World::behind_proxy().await;
                let files = world.lake().await.load().await.unwrap().file_io().clone();
                let path = format!("s3://{}/lake/test/large", world.bucket);
                let bytes = Bytes::from(vec![7; 9 << 20]);
                world.proxy().play(Plan::none().during(operation, 1..=times, fault));
                let mut writer = files.new_output(&path).unwrap().writer().await.unwrap();
                let written = async {
                    writer.write(bytes.clone()).await?;
                    writer.close().await
                };
                let written = written.await;
                world.proxy().play(Plan::none());
                let case = format!("{operation}, {fault:?}, {times} times: {written:?}");
                let found = files.exists(&path).await.unwrap();
                assert!(written.is_ok() || times > 1, "one fault is outlived: {case}");
                assert!(found || written.is_err(), "{case}");
                if found {
                    assert!(files.new_input(&path).unwrap().read().await.unwrap() == bytes, "{case}");
                }
                let uploads = world.s3.list_multipart_uploads().bucket(&world.bucket).send().await.unwrap();
                let left = uploads.uploads().len();
                assert!(left == 0 || operation.contains("Create"), "{left} uploads are left: {case}");
            }
        }
    }
}

/// Everything at once, by seed; whatever happens, the table is right when it is over.
#[tokio::test]
async fn seeded_faults_everywhere() {
    for seed in 0..8 {
        let world = World::behind_proxy().await;
        let input = events(seed, DAY, 1_000_000, 600);
        for (index, part) in input.chunks(150).enumerate() {
            world.put_events(&key(index as i64, "a"), part).await;
        }
        world.put(&key(7, "bad"), gzip(b"no event\n")).await;
        world.put_events(&key(9, "again"), &input[100..200]).await;
        let plan = Plan::seeded(seed);
        let name = plan.to_string();
        world.proxy().play(plan);
        let mut errors = Vec::new();
        for _ in 0..6 {
            match world.try_compact(Options { commit_bytes: 1, ..Options::default() }).await {
                Ok(_) => break,
                Err(error) => errors.push(error),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(errors.iter().all(compactor::Error::is_retryable), "{name}: {errors:?}");
        world.proxy().heal().await;
        world.compact().await;
        assert_eq!(world.compact().await.commits, 0, "{name}");
        world.check(&input).await;
        let counts = world.counts().await;
        assert_eq!((counts.objects, counts.lines, counts.quarantined), (6, 701, 1), "{name}");
        assert_eq!(world.raw().list_quarantine().await.unwrap().len(), 1, "{name}");
    }
}
