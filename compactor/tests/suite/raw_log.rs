//! The port's suite on a folder and in memory, and what only a folder can get wrong.

use std::sync::Arc;

use async_trait::async_trait;
use compactor::{DirRawLog, MemoryRawLog, RawLog};

use crate::raw_log_suite::{Backend, conforms};
use crate::support::at;

struct Memory(Arc<MemoryRawLog>);

#[async_trait]
impl Backend for Memory {
    fn log(&self) -> Arc<dyn RawLog> {
        self.0.clone()
    }
    async fn put(&self, key: &str, bytes: &[u8]) {
        self.0.put(key, bytes.to_vec(), at(0));
    }
}

struct Dir(tempfile::TempDir);

#[async_trait]
impl Backend for Dir {
    fn log(&self) -> Arc<dyn RawLog> {
        Arc::new(DirRawLog::new(self.0.path()))
    }
    async fn put(&self, key: &str, bytes: &[u8]) {
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
