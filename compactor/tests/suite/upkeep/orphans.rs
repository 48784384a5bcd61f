//! Leftovers of others go, and nothing else does.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use compactor::{Compaction, Error, ErrorKind, Options, Step, UpkeepOptions, UpkeepStep};

use super::{MINUTE, OLD, age, age_file, at_once, commit_each, keep_up, now, unnamed, upkeep};
use crate::support::{DAY, World, at, events, files_below, key, random};

const HOUR: Duration = Duration::from_secs(3_600);
const ID: &str = "0194b3a0-7c1d-7e2f-8a3b-4c5d6e7f8091";

async fn kill_compaction(world: &World, step: Step) {
    let failpoint = |at: Step| if at == step { Err(Error::new(ErrorKind::Stopped, "killed")) } else { Ok(()) };
    let run = Compaction::new(&world.lake, world.raw(), Options::default().forced()).with_failpoint(failpoint);
    run.run(at(DAY), &random).await.unwrap_err();
}

#[tokio::test]
async fn leftovers_of_a_killed_compaction_go_after_the_grace_period() {
    let world = World::new().await;
    let mut input = commit_each(&world, 1, OLD, 60 * MINUTE, 1).await;
    input.extend(events(77, OLD, MINUTE, 30));
    world.put_events(&key(1, "b"), &input[20..]);
    kill_compaction(&world, Step::Consumed).await;
    assert_eq!(unnamed(&world).await.len(), 2, "a data file and a consumed set");
    assert_eq!(world.compact().await.counts.rows, 30);
    let quiet = || UpkeepOptions { keep: HOUR, grace: HOUR, settle: Duration::MAX, ..UpkeepOptions::default() };
    assert_eq!(keep_up(&world, quiet()).await.files_removed, 0, "too young");
    age(&world, 2 * HOUR);
    let left = unnamed(&world).await;
    assert_eq!(left.len(), 2 + 1, "and the consumed set of the first commit");
    assert_eq!(keep_up(&world, quiet()).await.files_removed, 3);
    assert!(unnamed(&world).await.is_empty());
    world.check(&input).await;
}

/// It slept for longer than any grace period, and then commits: what it wrote must be there.
#[tokio::test]
async fn a_compaction_that_sleeps_loses_none_of_its_files() {
    let world = World::new().await;
    let mut input = commit_each(&world, 1, OLD, 60 * MINUTE, 1).await;
    input.extend(events(77, OLD, MINUTE, 30));
    world.put_events(&key(1, "b"), &input[20..]);
    let folder = world.folder.path().to_owned();
    let sleep = |step: Step| {
        if step == Step::Consumed {
            // Other files are a year old as well, the snapshot is not.
            let folder = folder.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async {
                    let lake = compactor::Lake::open(&folder).await.unwrap();
                    let options = UpkeepOptions { settle: Duration::MAX, ..at_once() };
                    let upkeep = compactor::Upkeep::new(&lake, &folder, options).unwrap();
                    let in_a_year = at(now().micros() + 366 * 24 * 3_600_000_000);
                    upkeep.run(in_a_year, &random).await.unwrap();
                })
            })
            .join()
            .unwrap();
        }
        Ok(())
    };
    let run = Compaction::new(&world.lake, world.raw(), Options::default().forced()).with_failpoint(sleep);
    assert_eq!(run.run(at(DAY), &random).await.unwrap().counts.rows, 30);
    world.check(&input).await;
    unnamed(&world).await;
}

#[tokio::test]
async fn only_what_is_ours_is_deleted() {
    let world = World::new().await;
    commit_each(&world, 1, OLD, 60 * MINUTE, 2).await;
    let consumed: u64 = unnamed(&world).await.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    let lake = world.folder.path().join("lake");
    let table = lake.join("daybook/requests");
    let day = table.join("data/received_at_day=2020-01-01");
    let ours = [
        day.join(format!("{ID}-00000.parquet")),
        day.join(format!(".{ID}-00001.parquet.4711-12.tmp")),
        table.join(format!("metadata/{ID}-m0.avro")),
        table.join(format!("metadata/snap-17-0-{ID}.avro")),
        table.join(format!("metadata/00001-{ID}.metadata.json")),
        table.join(format!("metadata/.00009-{ID}.metadata.json.1-1.tmp")),
        lake.join(format!("consumed/{ID}.json.gz")),
        lake.join(format!("consumed/.{ID}.json.gz.4711-0.tmp")),
    ];
    let others = [
        day.join("part-00000.parquet"),
        day.join(format!("{ID}-00000.parquet.keep")),
        day.join(format!(".{ID}-00001.parquet")),
        table.join(format!("data/{ID}-00000.parquet")),
        table.join(format!("data/other=1/{ID}-00000.parquet")),
        table.join("metadata/version-hint.text"),
        table.join(format!("metadata/{ID}.stats")),
        lake.join(format!("{ID}-00000.parquet")),
        lake.join("catalog.db-backup"),
        lake.join("consumed/notes.txt"),
        lake.join(format!("daybook/other/data/received_at_day=2020-01-01/{ID}-00000.parquet")),
        world.folder.path().join(format!("raw/{ID}.json.gz")),
        world.folder.path().join(format!("{ID}-00000.parquet")),
    ];
    for path in ours.iter().chain(&others) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"whatever").unwrap();
        age_file(path, 48 * HOUR);
    }
    age(&world, 24 * HOUR);
    // A folder, and links: one to a file elsewhere, one to a folder of a day.
    let folder = day.join(format!("{ID}-00002.parquet"));
    fs::create_dir(&folder).unwrap();
    let link = day.join(format!("{ID}-00003.parquet"));
    std::os::unix::fs::symlink(&others[12], &link).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let far = elsewhere.path().join(format!("{ID}-00000.parquet"));
    fs::write(&far, b"whatever").unwrap();
    age_file(&far, 48 * HOUR);
    std::os::unix::fs::symlink(elsewhere.path(), table.join("data/received_at_day=2020-01-09")).unwrap();

    let options = UpkeepOptions { settle: Duration::MAX, ..UpkeepOptions::default() };
    let summary = keep_up(&world, options).await;
    assert_eq!((summary.files_removed, summary.bytes_removed), (8 + 1, 8 * 8 + consumed));
    for path in &ours {
        assert!(!path.exists(), "{}", path.display());
    }
    for path in others.iter().chain([&folder, &link, &far]) {
        assert!(path.exists(), "{}", path.display());
    }
    assert!(lake.join("catalog.db").exists());
}

/// The metadata log forgets; then the file may go, too.
#[tokio::test]
async fn metadata_beyond_the_log_goes() {
    let world = World::new().await;
    let table = world.lake.load().await.unwrap();
    let transaction = iceberg::transaction::Transaction::new(&table);
    let change = transaction.update_table_properties();
    let change = change.set("write.metadata.previous-versions-max".to_owned(), "3".to_owned());
    let transaction = iceberg::transaction::ApplyTransactionAction::apply(change, transaction).unwrap();
    transaction.commit(&**world.lake.catalog()).await.unwrap();
    commit_each(&world, 1, OLD, 60 * MINUTE, 9).await;
    let metadata = || {
        let files = files_below(&world.folder.path().join("lake/daybook/requests/metadata"));
        files.into_iter().filter(|path| path.ends_with(".metadata.json")).map(PathBuf::from).collect::<Vec<_>>()
    };
    assert_eq!(metadata().len(), 11);
    super::tidy_after_a_commit(&world).await;
    assert_eq!(metadata().len(), 4, "the current one and three before");
}

#[tokio::test]
async fn leftovers_of_killed_upkeep_go_too() {
    let world = World::new().await;
    let input = commit_each(&world, 1, OLD, 60 * MINUTE, 4).await;
    for step in [UpkeepStep::Merged, UpkeepStep::ManifestsWritten, UpkeepStep::ListWritten, UpkeepStep::Staged] {
        let failpoint =
            move |at: UpkeepStep| if at == step { Err(Error::new(ErrorKind::Stopped, "killed")) } else { Ok(()) };
        upkeep(&world, at_once()).with_failpoint(failpoint).run(now(), &random).await.unwrap_err();
    }
    // The merged file four times, the manifests three times, the list twice, the metadata once.
    assert_eq!(unnamed(&world).await.len(), 4 + 2 * 3 + 2 + 1 + 3, "and three consumed sets");
    super::tidy(&world).await;
    world.check(&input).await;
}
