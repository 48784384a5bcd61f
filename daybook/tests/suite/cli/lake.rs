//! `daybook lake`: the table at a glance.

use std::fs;

use event::{Event, EventIds, Timestamp};
use serde_json::{Value, json};

use super::Used;
use crate::support::{Place, Server, a_read, daybook, raw_objects};

#[test]
fn an_empty_installation() {
    let place = Place::new();
    Server::start(&place.data(), &[]).terminate();
    let facts = daybook(&place.data(), &["lake", "--json"]).json();
    assert_eq!(facts["snapshots"], json!({"count": 0, "newest": null}));
    assert_eq!(facts["files"], json!({"count": 0, "bytes": 0, "average_bytes": null, "smallest_bytes": null}));
    assert_eq!(facts["days"], json!({"count": 0, "first": null, "last": null, "shown": []}));
    assert_eq!(facts["pending"], json!({"objects": 0, "bytes": 0, "oldest": null, "lag_s": 0}));
    let text = daybook(&place.data(), &["lake"]).done();
    assert!(text.contains("none yet") && text.contains("nothing"), "{text}");
    assert_eq!(daybook(&place.data(), &["lake", "--format", "ndjson"]).done(), "");
    assert_eq!(daybook(&place.data(), &["lake", "--format", "csv"]).done(), "day,files,rows,bytes\r\n");
}

#[test]
fn what_waits_and_what_is_there() {
    let used = Used::new();
    let data = used.place.data();
    let objects = raw_objects(&data).len() as u64;
    let facts = daybook(&data, &["lake", "--json"]).json();
    assert_eq!((facts["pending"]["objects"].as_u64(), &facts["rows"]), (Some(objects), &json!(0)));
    let stored: u64 = raw_objects(&data).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!(facts["pending"]["bytes"].as_u64(), Some(stored));
    assert!(daybook(&data, &["lake"]).done().contains("the oldest for"));

    let done = daybook(&data, &["compact", "--json"]).json();
    let facts = daybook(&data, &["lake", "--json"]).json();
    assert_eq!((&facts["rows"], &facts["pending"]["objects"]), (&json!(7), &json!(0)));
    assert_eq!((&facts["files"]["bytes"], &facts["files"]["count"]), (&done["bytes_out"], &done["files"]));
    assert_eq!((&facts["snapshots"]["count"], &facts["manifests"]), (&json!(1), &json!(1)));
    assert_eq!(facts["consumed"], json!({"objects": objects, "closed_before": null}));
    assert_eq!((&facts["compacted"]["lines"], &facts["compacted"]["quarantined"]), (&json!(7), &json!(0)));
}

fn event_of(day: u32, ids: &mut EventIds) -> Event {
    let received_at = Timestamp::parse(&format!("2026-11-{day:02}T12:00:00Z")).unwrap();
    a_read(ids, received_at, [u8::try_from(day).unwrap(); 16]).sealed()
}

#[test]
fn the_last_days_are_shown_and_the_others_are_counted() {
    let place = Place::new();
    let folder = place.data().join("raw/dt=2026-11-20/hour=00");
    fs::create_dir_all(&folder).unwrap();
    let mut ids = EventIds::default();
    let lines = [3, 3, 4, 9].map(|day| [event_of(day, &mut ids).to_line(), b"\n".to_vec()].concat());
    fs::write(folder.join("a.ndjson.gz"), lines.concat()).unwrap();
    daybook(&place.data(), &["compact"]).done();
    let days = |args: &[&str]| {
        let out = daybook(&place.data(), &[&["lake", "--format", "ndjson"], args].concat()).done();
        let rows = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| (row["day"].as_str().unwrap().to_owned(), row["rows"].as_u64().unwrap())).collect::<Vec<_>>()
    };
    let all = [("2026-11-03".to_owned(), 2), ("2026-11-04".to_owned(), 1), ("2026-11-09".to_owned(), 1)];
    assert_eq!(days(&[]), all);
    assert_eq!(days(&["--all"]), all);
    assert_eq!(days(&["--days", "1"]), all[2..]);
    let text = daybook(&place.data(), &["lake", "--days", "1"]).done();
    assert!(text.contains("2 earlier days") && text.contains("3 days, 2026-11-03 to 2026-11-09"), "{text}");
    let facts = daybook(&place.data(), &["lake", "--days", "0", "--json"]).json();
    assert_eq!((&facts["days"]["count"], &facts["days"]["shown"]), (&json!(3), &json!([])));
}
