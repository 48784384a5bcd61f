//! One suite for the port `RawLog`, run on both implementations.

use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use compactor::{DirRawLog, MemoryRawLog, RawLog, RawObject};

use crate::support::at;

#[async_trait]
trait Backend {
    fn log(&self) -> Arc<dyn RawLog>;
    fn put(&self, key: &str, bytes: &[u8]);
}

struct Memory(Arc<MemoryRawLog>);

impl Backend for Memory {
    fn log(&self) -> Arc<dyn RawLog> {
        self.0.clone()
    }
    fn put(&self, key: &str, bytes: &[u8]) {
        self.0.put(key, bytes.to_vec(), at(0));
    }
}

struct Dir(tempfile::TempDir);

impl Backend for Dir {
    fn log(&self) -> Arc<dyn RawLog> {
        Arc::new(DirRawLog::new(self.0.path()))
    }
    fn put(&self, key: &str, bytes: &[u8]) {
        let path = self.0.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

#[tokio::test]
async fn memory() {
    conforms(&Memory(Arc::new(MemoryRawLog::new()))).await;
}

#[tokio::test]
async fn dir() {
    conforms(&Dir(tempfile::tempdir().unwrap())).await;
}

async fn keys(log: &dyn RawLog, from_day: Option<&str>) -> Vec<String> {
    log.list(from_day).await.unwrap().into_iter().map(|object| object.key).collect()
}

async fn read(log: &dyn RawLog, key: &str) -> Result<Vec<u8>, compactor::Error> {
    let mut bytes = Vec::new();
    log.open(key).await?.read_to_end(&mut bytes).unwrap();
    Ok(bytes)
}

async fn conforms(backend: &dyn Backend) {
    let log = backend.log();
    let log = log.as_ref();
    assert!(log.list(None).await.unwrap().is_empty(), "an empty log");
    assert!(log.list_quarantine().await.unwrap().is_empty());

    backend.put("raw/dt=2026-11-21/hour=00/b.ndjson.gz", b"bb");
    backend.put("raw/dt=2026-11-20/hour=09/a.ndjson.gz", b"a");
    backend.put("raw/fallback/dt=2026-11-01/c.ndjson.gz", b"");
    backend.put("raw/dt=2026-11-20/hour=09/.hidden", b"no");
    backend.put("raw/dt=2026-11-20/hour=09/half.ndjson.gz.tmp", b"no");
    backend.put("elsewhere/dt=2026-11-20/x", b"no");
    let all = [
        "raw/dt=2026-11-20/hour=09/a.ndjson.gz",
        "raw/dt=2026-11-21/hour=00/b.ndjson.gz",
        "raw/fallback/dt=2026-11-01/c.ndjson.gz",
    ];
    assert_eq!(keys(log, None).await, all);
    assert_eq!(keys(log, Some("2026-11-20")).await, all);
    assert_eq!(keys(log, Some("2026-11-21")).await, all[1..]);
    assert_eq!(keys(log, Some("2027-01-01")).await, all[2..], "a key without a day is always listed");
    assert_eq!(log.list(None).await.unwrap()[1].bytes, 2);

    assert_eq!(read(log, all[1]).await.unwrap(), b"bb");
    for key in
        ["raw/absent", "raw/../elsewhere/dt=2026-11-20/x", "elsewhere/dt=2026-11-20/x", "/etc/passwd", "raw/", ""]
    {
        assert!(read(log, key).await.is_err(), "{key}");
    }

    assert!(log.list_gateway(None).await.unwrap().is_empty());
    backend.put("gateway/dt=2026-11-21/hour=00/b.gz", b"gate");
    backend.put("gateway/dt=2026-11-20/hour=09/a.gz", b"");
    backend.put("gateway/undated.gz", b"");
    let gateway = ["gateway/dt=2026-11-20/hour=09/a.gz", "gateway/dt=2026-11-21/hour=00/b.gz", "gateway/undated.gz"];
    let listed = |objects: Vec<RawObject>| objects.into_iter().map(|object| object.key).collect::<Vec<_>>();
    assert_eq!(listed(log.list_gateway(None).await.unwrap()), gateway);
    assert_eq!(listed(log.list_gateway(Some("2026-11-21")).await.unwrap()), gateway[1..]);
    assert_eq!(keys(log, None).await, all, "the gateway's log is not part of the raw log");
    assert_eq!(read(log, gateway[1]).await.unwrap(), b"gate");

    let key = "quarantine/dt=2026-11-20/a.ndjson.gz";
    log.quarantine(key, Bytes::from_static(b"bad")).await.unwrap();
    log.quarantine(key, Bytes::from_static(b"bad")).await.unwrap();
    assert_eq!(log.list_quarantine().await.unwrap().len(), 1);
    assert_eq!(read(log, key).await.unwrap(), b"bad");
    for key in ["raw/dt=2026-11-20/x", "gateway/dt=2026-11-20/x", "quarantine/../raw/x", "quarantine/.x"] {
        assert!(log.quarantine(key, Bytes::new()).await.is_err(), "{key}");
    }
    assert_eq!(keys(log, None).await, all, "quarantine is not part of the log");
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_not_objects() {
    let folder = tempfile::tempdir().unwrap();
    let day = folder.path().join("raw/dt=2026-11-20");
    std::fs::create_dir_all(&day).unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, b"secret").unwrap();
    std::os::unix::fs::symlink(&secret, day.join("file")).unwrap();
    std::os::unix::fs::symlink(folder.path(), day.join("folder")).unwrap();
    let log = DirRawLog::new(folder.path());
    assert!(log.list(None).await.unwrap().is_empty());
    assert!(log.open("raw/dt=2026-11-20/file").await.is_err());
}

#[tokio::test]
async fn a_folder_that_cannot_be_listed_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("raw/dt=2026-11-20")).unwrap();
    std::fs::write(folder.path().join("raw/dt=2026-11-20/a"), b"").unwrap();
    assert_eq!(DirRawLog::new(folder.path()).list(None).await.unwrap().len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_log_that_is_no_folder_is_not_an_empty_log() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir_all(elsewhere.join("dt=2026-11-20")).unwrap();
    let log = DirRawLog::new(folder.path());
    std::os::unix::fs::symlink(&elsewhere, folder.path().join("raw")).unwrap();
    assert!(log.list(None).await.is_err(), "a link");
    std::fs::remove_file(folder.path().join("raw")).unwrap();
    std::fs::write(folder.path().join("raw"), b"").unwrap();
    assert!(log.list(None).await.is_err(), "a file");
}
