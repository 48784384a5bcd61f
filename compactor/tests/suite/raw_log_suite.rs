//! One suite for the port `RawLog`, run on every implementation.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use compactor::{RawLog, RawObject};

/// An implementation, and a way to put objects there whatever their key.
#[async_trait]
pub trait Backend {
    fn log(&self) -> Arc<dyn RawLog>;
    async fn put(&self, key: &str, bytes: &[u8]);
}

async fn keys(log: &dyn RawLog, from_day: Option<&str>) -> Vec<String> {
    log.list(from_day).await.unwrap().into_iter().map(|object| object.key).collect()
}

async fn read(log: &dyn RawLog, key: &str) -> Result<Vec<u8>, compactor::Error> {
    let mut reader = log.open(key).await?;
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes)
    });
    Ok(read.await.unwrap().unwrap())
}

pub async fn conforms(backend: &dyn Backend) {
    let log = backend.log();
    let log = log.as_ref();
    assert!(log.list(None).await.unwrap().is_empty(), "an empty log");
    assert!(log.list_quarantine().await.unwrap().is_empty());

    backend.put("raw/dt=2026-11-21/hour=00/b.ndjson.gz", b"bb").await;
    backend.put("raw/dt=2026-11-20/hour=09/a.ndjson.gz", b"a").await;
    backend.put("raw/fallback/dt=2026-11-01/c.ndjson.gz", b"").await;
    backend.put("raw/dt=2026-11-20/hour=09/.hidden", b"no").await;
    backend.put("raw/dt=2026-11-20/hour=09/half.ndjson.gz.tmp", b"no").await;
    backend.put("elsewhere/dt=2026-11-20/x", b"no").await;
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
    backend.put("gateway/dt=2026-11-21/hour=00/b.gz", b"gate").await;
    backend.put("gateway/dt=2026-11-20/hour=09/a.gz", b"").await;
    backend.put("gateway/undated.gz", b"").await;
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

    let added = "raw/dt=2026-11-22/hour=07/added.ndjson.gz";
    log.add(added, Bytes::from_static(b"first")).await.unwrap();
    log.add(added, Bytes::from_static(b"second")).await.unwrap();
    assert_eq!(keys(log, Some("2026-11-22")).await, [added, all[2]]);
    assert_eq!(read(log, added).await.unwrap(), b"first", "a key stands for one content");
    assert_eq!(log.list(Some("2026-11-22")).await.unwrap()[0].bytes, 5);
    for key in ["quarantine/dt=2026-11-20/x", "gateway/dt=2026-11-20/x", "raw/../x", "raw/.x", "raw/", "lake/x", ""] {
        assert!(log.add(key, Bytes::new()).await.is_err(), "{key}");
    }
    let all = [all[0], all[1], added, all[2]];

    backend.put("raw/0-before/x.ndjson.gz", b"").await;
    backend.put("raw/dt=2026-1/x.ndjson.gz", b"").await;
    backend.put("raw/dt=2026-11-2", b"").await;
    backend.put("raw/dt=2026-11-19/hour=23/old.ndjson.gz", b"").await;
    backend.put("raw/dt=2026-11-18", b"").await;
    backend.put("raw/a.ndjson.gz", b"").await;
    let undated = ["raw/0-before/x.ndjson.gz", "raw/a.ndjson.gz", "raw/dt=2026-1/x.ndjson.gz", "raw/dt=2026-11-2"];
    assert_eq!(keys(log, Some("2026-11-20")).await, [&undated[..], &all].concat(), "wherever in the order they are");
    assert_eq!(keys(log, None).await.len(), undated.len() + all.len() + 2);
}
