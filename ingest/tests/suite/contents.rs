//! Contents over a real socket: signed URLs, uploads to the disk, downloads from it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use event::domain::Lifetime;
use event::{Timestamp, sha256_hex};
use ingest::api::Admission;
use ingest::http::auth::ApiKey;
use ingest::local::assets::{Folder, Swept};
use ingest::store::sqlite::SqliteStore;
use ingest::{Settings, System};
use serde_json::{Value, json as value};
use tokio::io::AsyncWriteExt;

use crate::backend::Backend;
use crate::rig::{Req, Rig, json, run};
use crate::server::{Server, rest, start};

pub const SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// An answer: status, head, body.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub async fn exchange(server: &Server, request: &[u8]) -> Answer {
    use tokio::io::AsyncReadExt;
    let mut stream = server.connect().await;
    // A refusal may come before all was sent.
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let _ = tokio::time::timeout(std::time::Duration::from_secs(20), read).await.unwrap();
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    Answer { status: head[9..12].parse().unwrap(), body: bytes[end + 4..].to_vec(), head }
}

pub async fn call(server: &Server, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Answer {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length =
        if body.is_empty() && method == "GET" { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let head = format!("{method} {target} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{length}{headers}\r\n");
    exchange(server, &[head.as_bytes(), body].concat()).await
}

pub async fn announce(server: &Server, body: &Value) -> Value {
    let made = call(server, "POST", "/assets", &["content-type: application/json"], body.to_string().as_bytes()).await;
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    made.json()
}

/// Where a URL leads on this server.
pub fn target(url: &Value) -> &str {
    url.as_str().unwrap().strip_prefix("http://h").unwrap()
}

pub fn text(id: &str) -> Value {
    value!({"assetId": id, "fileName": "a b.txt", "contentType": "text/plain"})
}

/// Everything below the folder of contents.
pub fn files(server: &Server) -> Vec<PathBuf> {
    fn below(folder: PathBuf) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { below(path) } else { vec![path] }).collect()
    }
    below(server.rig.backend.folder().unwrap().join("assets"))
}

pub const PLAIN: &str = "content-type: text/plain";

#[test]
fn up_and_down() {
    run(async {
        let server = start().await;
        let made = announce(&server, &text("a")).await;
        let done = call(&server, "PUT", target(&made["uploadUrl"]), &[PLAIN], b"hello").await;
        assert_eq!((done.status, done.header("etag")), (200, Some("\"2\"")));
        assert_eq!(done.json()["asset"]["checksum"], format!("sha256:{SHA256}"));
        let log = server.events(2).await;
        let event = &log[1];
        assert_eq!(
            (event.event_type.as_str(), event.route.as_deref()),
            ("asset.uploaded", Some("/assets/{id}/content"))
        );
        assert_eq!((event.request_bytes, event.request_body_sha256.as_deref()), (5, Some(SHA256)));
        assert_eq!((event.request_body.as_deref(), event.request_body_encoding.as_str()), (None, "omitted"));
        let query = event.query_string.as_deref().unwrap();
        assert!(query.contains("signature=[redacted:") || query.contains("signature=%5Bredacted:"), "{query}");
        let key = made["asset"]["key"].as_str().unwrap();
        assert_eq!(fs::read(server.rig.backend.folder().unwrap().join(key)).unwrap(), b"hello");
        assert_eq!(files(&server).len(), 1);

        let found = call(&server, "GET", "/assets/a/download", &[], b"").await.json();
        let url = target(&found["downloadUrl"]).to_owned();
        let whole = call(&server, "GET", &url, &["accept: image/*"], b"").await;
        assert_eq!((whole.status, whole.body.as_slice()), (200, &b"hello"[..]));
        for (name, value) in [
            ("content-type", "text/plain"),
            ("content-length", "5"),
            ("content-disposition", "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"),
            ("x-content-type-options", "nosniff"),
            ("accept-ranges", "bytes"),
            ("etag", &format!("\"sha256:{SHA256}\"")),
        ] {
            assert_eq!(whole.header(name), Some(value));
        }
        let part = call(&server, "GET", &url, &["range: bytes=1-3"], b"").await;
        assert_eq!((part.status, part.body.as_slice()), (206, &b"ell"[..]));
        assert_eq!(part.header("content-range"), Some("bytes 1-3/5"));
        let none = call(&server, "GET", &url, &["range: bytes=5-"], b"").await;
        assert_eq!((none.status, none.header("content-range")), (416, Some("bytes */5")));
        let tag = format!("if-none-match: \"sha256:{SHA256}\"");
        assert_eq!(call(&server, "GET", &url, &[&tag], b"").await.status, 304);
        let changed = call(&server, "GET", &url, &["range: bytes=1-3", "if-range: \"x\""], b"").await;
        assert_eq!((changed.status, changed.body.as_slice()), (200, &b"hello"[..]));
        // An upload's URL downloads nothing, and a download's uploads nothing.
        assert_eq!(call(&server, "GET", target(&made["uploadUrl"]), &[], b"").await.status, 403);
        assert_eq!(call(&server, "PUT", &url, &[PLAIN], b"x").await.status, 403);
        // HEAD has the head, and no body.
        let head = call(&server, "HEAD", &url, &[], b"").await;
        assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("5"), 0));
        let log = server.events(11).await;
        let bytes: Vec<_> = log[3..6].iter().map(|event| event.response_bytes).collect();
        assert_eq!(bytes[..2], [Some(5), Some(3)]);
        assert!(log.iter().all(|event| event.tenant == "default"));
        server.end().await;
    });
}

#[test]
fn large_contents_pass_in_pieces() {
    run(async {
        let server = start().await;
        let content: Vec<u8> = (0..9_000_001_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut body = text("a");
        body["contentLength"] = content.len().into();
        let made = announce(&server, &body).await;
        assert_eq!(made["uploadHeaders"], value!({"Content-Type": "text/plain", "Content-Length": "9000001"}));
        let done = call(&server, "PUT", target(&made["uploadUrl"]), &[PLAIN], &content).await;
        assert_eq!((done.status, &done.json()["asset"]["size"]), (200, &value!(9_000_001)));
        let url = call(&server, "GET", "/assets/a/download", &[], b"").await.json();
        let url = target(&url["downloadUrl"]);
        assert!(call(&server, "GET", url, &[], b"").await.body == content);
        assert!(
            call(&server, "GET", url, &["range: bytes=4000000-8999999"], b"").await.body
                == content[4_000_000..9_000_000]
        );
        server.end().await;
    });
}

#[test]
fn uploads_that_are_refused_leave_nothing() {
    run(async {
        let server = start().await;
        let made = announce(&server, &text("a")).await;
        let url = target(&made["uploadUrl"]).to_owned();
        let altered = |from: &str, to: &str| url.replace(from, to);
        let mut last = url.clone();
        let end = if last.pop() == Some('0') { '1' } else { '0' };
        last.push(end);
        announce(&server, &text("b")).await;
        let cases: Vec<(u16, String, Vec<&str>, &[u8])> = vec![
            (403, last, vec![PLAIN], b"x"),
            (403, altered("tenant=default", "tenant=other"), vec![PLAIN], b"x"),
            (403, altered("expires=1", "expires=2"), vec![PLAIN], b"x"),
            (403, altered("/assets/a/", "/assets/b/"), vec![PLAIN], b"x"),
            (403, altered("/assets/a/", "/assets/none/"), vec![PLAIN], b"x"),
            (403, "/assets/a/content".to_owned(), vec![PLAIN], b"x"),
            (400, format!("{url}&tenant=default"), vec![PLAIN], b"x"),
            (415, url.clone(), vec!["content-type: text/html"], b"x"),
            (415, url.clone(), vec![], b"x"),
            (415, url.clone(), vec![PLAIN, "content-encoding: gzip"], b"x"),
        ];
        let count = cases.len();
        for (status, target, headers, body) in cases {
            let refused = call(&server, "PUT", &target, &headers, body).await;
            assert_eq!(refused.status, status, "{target} {headers:?}");
            assert!(refused.header("daybook-event-id").is_some() && refused.header("connection") == Some("close"));
        }
        let log = server.events(2 + count).await;
        assert!(log[2..].iter().all(|event| event.event_type == "request.rejected"));
        assert_eq!(files(&server).len(), 0);
        // With whatever key it is sent, the same URL is the same.
        assert_eq!(call(&server, "PUT", &url, &[PLAIN, "idempotency-key: k"], b"x").await.status, 200);
        assert_eq!(call(&server, "PUT", &url, &[PLAIN], b"y").await.status, 409);
        assert_eq!(files(&server).len(), 1);
        server.end().await;
    });
}

#[test]
fn lengths_are_held_to() {
    run(async {
        let server = start().await;
        let mut body = text("a");
        body["contentLength"] = 5.into();
        let url = target(&announce(&server, &body).await["uploadUrl"]).to_owned();
        let chunked = |target: &str, chunks: &str| {
            format!(
                "PUT {target} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{PLAIN}\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
            )
        };
        assert_eq!(call(&server, "PUT", &url, &[PLAIN], b"hell").await.status, 400);
        assert_eq!(call(&server, "PUT", &url, &[PLAIN], b"hello!").await.status, 413);
        for (status, chunks) in [(400, "4\r\nhell\r\n0\r\n\r\n"), (413, "6\r\nhello!\r\n0\r\n\r\n"), (400, "5\r\nhel")]
        {
            let mut stream = server.connect().await;
            stream.write_all(chunked(&url, chunks).as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let answer = rest(&mut stream).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{chunks:?}: {answer}");
        }
        assert_eq!(files(&server).len(), 0);
        // Nothing is read of what is announced as too large: without a length of its own there is a limit for all.
        let open = target(&announce(&server, &text("b")).await["uploadUrl"]).to_owned();
        let head = format!(
            "PUT {open} HTTP/1.1\r\nhost: h\r\n{PLAIN}\r\ncontent-length: 104857601\r\nexpect: 100-continue\r\n\r\n"
        );
        let answer = exchange(&server, head.as_bytes()).await;
        assert_eq!(answer.status, 413, "{}", answer.head);
        let whole = exchange(&server, chunked(&url, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n").as_bytes()).await;
        assert_eq!((whole.status, files(&server).len()), (200, 1));
        server.end().await;
    });
}

#[test]
fn a_client_that_goes_away_leaves_nothing() {
    run(async {
        let server = start().await;
        let url = target(&announce(&server, &text("a")).await["uploadUrl"]).to_owned();
        let mut stream = server.connect().await;
        let head = format!("PUT {url} HTTP/1.1\r\nhost: h\r\n{PLAIN}\r\ncontent-length: 1000000\r\n\r\n");
        stream.write_all(&[head.as_bytes(), &[b'x'; 600_000]].concat()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert_eq!(files(&server).len(), 1, "a draft");
        stream.set_zero_linger().unwrap();
        drop(stream);
        let log = server.events(2).await;
        assert_eq!((log[1].status, log[1].event_type.as_str()), (400, "request.rejected"));
        for _ in 0..100 {
            if files(&server).is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(files(&server).is_empty());
        assert_eq!(call(&server, "PUT", &url, &[PLAIN], b"hello").await.status, 200);
        server.end().await;
    });
}

#[test]
fn a_disk_that_refuses_is_said_so_and_passes() {
    run(async {
        let server = start().await;
        let url = target(&announce(&server, &text("a")).await["uploadUrl"]).to_owned();
        let place = server.rig.backend.folder().unwrap().join("assets");
        fs::write(&place, b"in the way").unwrap();
        let refused = call(&server, "PUT", &url, &[PLAIN], b"hello").await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
        fs::remove_file(&place).unwrap();
        assert_eq!(call(&server, "PUT", &url, &[PLAIN], b"hello").await.status, 200);
        let log = server.events(3).await;
        let types: Vec<&str> = log.iter().map(|event| event.event_type.as_str()).collect();
        assert_eq!(types, ["asset.created", "request.failed", "asset.uploaded"]);
        server.end().await;
    });
}

#[test]
fn an_expired_url_is_refused() {
    run(async {
        let backend = Backend::sqlite();
        let rig = Rig::new(backend, Settings::default());
        let made = json(&rig.expect(201, Req::post("/assets", &text("a").to_string()).h("host", "h")).await);
        let put = || Req::put(target(&made["uploadUrl"]), "x").h("content-type", "text/plain");
        assert!(rig.api.admit(&put().later(899).received(), &mut Admission::default()).await.is_ok());
        let late = rig.api.admit(&put().later(900).received(), &mut Admission::default()).await.unwrap_err();
        assert_eq!((late.status, late.detail.as_str()), (403, "The URL has expired; ask for a new one."));
        // One who comes past the server's own way has kept nothing.
        rig.expect(500, put()).await;
        rig.verify().await;
    });
}

#[test]
fn a_url_needs_no_key_and_is_of_one_tenant() {
    run(async {
        let key = |name: &str, tenant: &str| -> ApiKey {
            format!("{name}:{tenant}:{}", sha256_hex(name.as_bytes())).parse().unwrap()
        };
        let settings = Settings { api_keys: vec![key("one", "red"), key("two", "blue")], ..Settings::default() };
        let rig = Rig::new(Backend::sqlite(), settings);
        let announce = async |key: &str| {
            let request = Req::post("/assets", &text("a").to_string()).h("host", "h").h("x-api-key", key);
            json(&rig.expect(201, request).await)
        };
        let (red, _) = (announce("one").await, announce("two").await);
        let url = target(&red["uploadUrl"]).to_owned();
        let admitted = async |url: &str, key: Option<&str>| {
            let request = Req::put(url, "x").h("content-type", "text/plain");
            let request = key.iter().fold(request, |request, key| request.h("x-api-key", key));
            let admitted = rig.api.admit(&request.received(), &mut Admission::default()).await;
            admitted.map(|asset| asset.key).map_err(|problem| problem.status)
        };
        let place = Ok(red["asset"]["key"].as_str().unwrap().to_owned());
        for key in [None, Some("one"), Some("two"), Some("none")] {
            assert_eq!(admitted(&url, key).await, place);
            assert_eq!(admitted(&url.replace("tenant=red", "tenant=blue"), key).await, Err(403));
        }
        rig.expect(401, Req::get("/assets/a/download")).await;
        rig.verify().await;
    });
}

#[test]
fn a_crash_before_the_event_loses_nothing_and_a_sweep_finds_what_nobody_has() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path(), [1; 4]).unwrap());
        let backend = Backend::Sqlite(Arc::clone(&store), folder);
        // Whenever the test runs, the asset is there.
        let settings = Settings { asset_lifetime: Lifetime::UNBOUNDED, ..Settings::default() };
        let rig = Rig::new(backend, settings);
        let path = |key: &str| rig.backend.folder().unwrap().join(key);
        let contents = Folder::new(store, [8; 32], System::real().random);
        let now = (System::real().now)();
        assert_eq!(contents.sweep(now).await.unwrap(), Swept::default());

        // Kept, and the process ended before it could say so.
        let key = json(&rig.expect(201, Req::post("/assets", &text("a").to_string())).await)["asset"]["key"]
            .as_str()
            .unwrap()
            .to_owned();
        let (draft, _) = contents.draft(&key).await.unwrap().write(b"hello"[..].into()).await.unwrap();
        assert_eq!(draft.keep().await.unwrap().sha256, SHA256);
        let second = contents.draft(&key).await.unwrap();
        assert_eq!(second.keep().await.unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(contents.sweep(now).await.unwrap(), Swept { contents: 1, removed: 0 });
        assert_eq!(json(&rig.expect(200, Req::get("/assets/a")).await)["status"], "uploaded");

        // One of an asset that the store has never heard of is left alone; one under another key, and drafts are not.
        let unknown = key.replace("/a/", "/never/");
        let former = format!("{}{}", &key[..key.len() - 1], if key.ends_with('0') { '1' } else { '0' });
        rig.backend.upload(&unknown, b"x").await;
        rig.backend.upload(&former, b"x").await;
        fs::write(path(&key).with_file_name(".x.0011.tmp"), b"x").unwrap();
        fs::write(path(&key).with_file_name("notes.txt"), b"not ours").unwrap();
        assert_eq!(contents.sweep(now).await.unwrap(), Swept { contents: 3, removed: 1 });
        let days = |count: i64| Timestamp::from_micros(now.micros() + count * Timestamp::DAY);
        assert_eq!(contents.sweep(days(2)).await.unwrap(), Swept { contents: 2, removed: 1 });
        rig.expect(200, Req::delete("/assets/a")).await;
        rig.backend.upload(&key, b"came late").await;
        assert_eq!(contents.sweep(now).await.unwrap(), Swept { contents: 2, removed: 1 });
        assert!(!path(&key).exists() && path(&key).with_file_name("notes.txt").exists() && path(&unknown).exists());
        // A folder goes with the last that is in it, unless a content is on its way there.
        fs::remove_file(path(&key).with_file_name("notes.txt")).unwrap();
        let draft = contents.draft(&key).await.unwrap();
        contents.sweep(now).await.unwrap();
        assert!(path(&key).parent().unwrap().is_dir());
        drop(draft);
        contents.sweep(now).await.unwrap();
        assert!(!path(&key).parent().unwrap().exists() && path(&unknown).exists());
        rig.verify().await;
    });
}
