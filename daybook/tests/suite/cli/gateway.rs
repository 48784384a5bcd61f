//! A folder copied from a bucket, with the API gateway's own log in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use event::Event;

use super::Used;
use crate::support::{Place, daybook, raw_objects, table_rows};

/// Copies the raw objects and puts a gateway object beside them: a refusal, a crash, a line of a request that has its
/// event, and a line that is none. Returns the object's path.
fn copy_with_gateway(from: &Path, to: &Path) -> PathBuf {
    let mut handled = None;
    for path in raw_objects(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&path, target).unwrap();
        let mut text = String::new();
        let mut decoder = flate2::read::MultiGzDecoder::new(File::open(&path).unwrap());
        std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
        handled = Some(Event::from_line(text.lines().next().unwrap().as_bytes()).unwrap());
    }
    let handled = handled.unwrap();
    let line = |id: &str, status: u16, invocation: &str| {
        let time = handled.received_at.millis();
        format!(
            "{{\"extendedRequestId\":\"x-{id}\",\"requestId\":\"{id}\",\"requestTimeEpoch\":\"{time}\",\
             \"status\":\"{status}\",\"integrationRequestId\":\"{invocation}\",\"userAgent\":\"sk_live_abcdefghijklmnop\"}}\n"
        )
    };
    let lines = [line("refused", 429, "-"), line("crashed", 502, "6d9c"), line(&handled.request_id, 201, "6d9d")];
    let path = to.join(format!("gateway/dt={}/hour=00/a.gz", handled.received_at.day()));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, lines.concat() + "none\n").unwrap();
    path
}

#[test]
fn requests_without_an_event_become_rows_and_every_line_is_accounted_for() {
    let (used, place) = (Used::new(), Place::new());
    let data = place.data();
    let object = copy_with_gateway(&used.place.data(), &data);
    daybook(&data, &["verify"]).done();
    let done = daybook(&data, &["compact", "--format", "json"]).json();
    assert_eq!((&done["rows"], &done["gateway_rows"], &done["gateway_deferred"]), (&7.into(), &1.into(), &2.into()));
    assert!(daybook(&data, &["verify"]).done().contains("2 not yet settled"));

    // As a tool leaves it that keeps the time at which the bucket got the object.
    File::options().write(true).open(&object).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let done = daybook(&data, &["compact", "--format", "json"]).json();
    assert_eq!((&done["gateway_rows"], &done["gateway_answered"]), (&1.into(), &1.into()));
    assert_eq!(daybook(&data, &["compact"]).done(), "Nothing is pending.\n");
    let rows = table_rows(&data);
    let mut folded: Vec<&str> =
        rows.iter().map(|row| row.event_type.as_str()).filter(|kind| !kind.starts_with("task")).collect();
    folded.retain(|kind| ["gateway.rejected", "request.failed"].contains(kind));
    folded.sort_unstable();
    assert_eq!((rows.len(), folded), (9, vec!["gateway.rejected", "request.failed"]));
    assert!(rows.iter().all(|row| row.user_agent.as_deref().is_none_or(|agent| !agent.contains("sk_live"))));
    assert!(daybook(&data, &["verify"]).done().contains("4 = 2 rows + 1 with an event + 0 duplicates + 1 quarantined"));
    assert!(!data.join("installation.key").exists(), "a copy is not made an installation");

    fs::remove_file(object).unwrap();
    let found = daybook(&data, &["verify"]);
    assert_eq!(found.code, 1, "{found:?}");
    assert!(found.out.contains("is gone"), "{found:?}");
}
