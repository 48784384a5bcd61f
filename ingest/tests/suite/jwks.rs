//! The keys of an issuer: when they are fetched, where from, and what holds while they cannot be.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use event::Timestamp;
use ingest::http::auth::{BearerSettings, Bearers, FetchJwks};
use ingest::{Error, ErrorKind, System};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::{NOW, run};
use crate::tokens::{ISSUER, Issuer, claims, rules};

/// A clock that only moves when it is told to.
static MICROS: AtomicU64 = AtomicU64::new(1);

#[test]
fn keys_are_fetched_when_they_are_needed_and_kept_when_they_cannot_be() {
    run(async {
        let (issuer, next) = (Issuer::new(), Issuer::new());
        let rotated = next.jwks().replace(r#""kid":"ec""#, r#""kid":"ec2""#);
        let (answer, fetches) = (Arc::new(Mutex::new(Err(()))), Arc::new(AtomicUsize::new(0)));
        let fetch: FetchJwks = {
            let (answer, fetches) = (Arc::clone(&answer), Arc::clone(&fetches));
            Arc::new(move || {
                fetches.fetch_add(1, Ordering::SeqCst);
                let answer: Result<String, ()> = answer.lock().unwrap().clone();
                Box::pin(async move { answer.map_err(|()| Error::new(ErrorKind::Unavailable, "the issuer is away")) })
            })
        };
        let system = System { monotonic: || MICROS.load(Ordering::SeqCst), ..System::real() };
        let bearers = Bearers::new(rules(), fetch, system);
        let at = Timestamp::parse(NOW).unwrap();
        let old = issuer.token("ES256", "ec", &claims(&json!({})));
        let new = next.token("ES256", "ec2", &claims(&json!({})));
        let check = async |token: &str, taken: bool, fetched: usize| {
            assert_eq!(bearers.check(token, at).await.is_ok(), taken);
            assert_eq!(fetches.load(Ordering::SeqCst), fetched);
        };
        let pass = |seconds: u64| _ = MICROS.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
        check(&old, false, 1).await;
        // Nobody can make it fetch again at once.
        *answer.lock().unwrap() = Ok(issuer.jwks());
        check(&old, false, 1).await;
        pass(30);
        check(&old, true, 2).await;
        check(&old, true, 2).await;
        check(&new, false, 2).await;
        pass(30);
        check(&new, false, 3).await;
        // The issuer is away, or answers nonsense: its keys of before stay.
        for nonsense in [Err(()), Ok("<html>".to_owned()), Ok(r#"{"keys":[]}"#.to_owned())] {
            *answer.lock().unwrap() = nonsense;
            pass(600);
            check(&old, true, fetches.load(Ordering::SeqCst) + 1).await;
        }
        // A set that could not be fetched is no fresher for it: it is tried again after the pause.
        check(&old, true, 6).await;
        pass(30);
        check(&old, true, 7).await;
        *answer.lock().unwrap() = Ok(rotated);
        pass(30);
        check(&old, false, 8).await;
        check(&new, true, 8).await;
        check(&old, false, 8).await;
    });
}

#[test]
fn made_up_kids_do_not_wait_for_a_slow_issuer_without_bound() {
    run(async {
        let issuer = Issuer::new();
        let (jwks, go) = (issuer.jwks(), Arc::new(tokio::sync::Semaphore::new(0)));
        let begun = Arc::new(AtomicUsize::new(0));
        let fetch: FetchJwks = {
            let (go, begun) = (Arc::clone(&go), Arc::clone(&begun));
            Arc::new(move || {
                begun.fetch_add(1, Ordering::SeqCst);
                let (jwks, go) = (jwks.clone(), Arc::clone(&go));
                Box::pin(async move {
                    go.acquire().await.unwrap().forget();
                    Ok(jwks)
                })
            })
        };
        let bearers = Arc::new(Bearers::new(rules(), fetch, System::real()));
        let at = Timestamp::parse(NOW).unwrap();
        let good = issuer.token("ES256", "ec", &claims(&json!({})));
        let ask = |token: String| {
            let bearers = Arc::clone(&bearers);
            tokio::spawn(async move { bearers.check(&token, at).await.is_ok() })
        };
        let moment = async || tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let first = ask(good.clone());
        while begun.load(Ordering::SeqCst) == 0 {
            moment().await;
        }
        let made_up = issuer.token("ES256", "made-up", &claims(&json!({})));
        let asked: Vec<_> = (0..200).map(|_| ask(made_up.clone())).collect();
        // One fetches, sixty-four wait; the rest is refused at once, while the issuer still says nothing.
        let at_once = async || asked.iter().filter(|asked| asked.is_finished()).count();
        while at_once().await < 136 {
            moment().await;
        }
        assert_eq!(at_once().await, 136);
        go.add_permits(1);
        for asked in asked {
            assert!(!asked.await.unwrap());
        }
        assert!(first.await.unwrap());
        assert_eq!(begun.load(Ordering::SeqCst), 1);
    });
}

/// A server that answers each request with the next of these, then with nothing.
async fn issuer_at(answers: Vec<String>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/.well-known/jwks.json", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4_096];
            let read = stream.read(&mut head).await.unwrap();
            assert!(head[..read].starts_with(b"GET /.well-known/jwks.json HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}

fn answered(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nlocation: http://127.0.0.1:1/\r\n\r\n{body}", body.len())
}

fn from(jwks: &str) -> BearerSettings {
    let (issuer, audiences) = (Some(ISSUER.to_owned()), vec!["web".to_owned()]);
    BearerSettings { jwks: Some(jwks.to_owned()), issuer, audiences, leeway: 0 }
}

fn called(name: &str) -> String {
    format!("jwt-{name}")
}

#[test]
fn keys_come_from_a_url_or_a_file() {
    run(async {
        let issuer = Issuer::new();
        let (token, at) = (issuer.token("RS256", "rsa", &claims(&json!({}))), Timestamp::parse(NOW).unwrap());
        let good = answered("200 OK", &issuer.jwks());
        let url = issuer_at(vec![
            answered("500 Internal Server Error", &issuer.jwks()),
            answered("302 Found", &issuer.jwks()),
            answered("200 OK", &format!("{}{}", " ".repeat(300 << 10), issuer.jwks())),
            answered("200 OK", "<html>"),
            good,
        ]);
        let bearers = from(&url.await).build(System::real(), called).unwrap().unwrap();
        for why in ["500", "302", "limit", "JWKS"] {
            let error = bearers.prepare().await.unwrap_err().to_string();
            assert!(error.contains(why), "{why}: {error}");
        }
        assert_eq!(bearers.prepare().await.unwrap(), 3);
        assert_eq!(bearers.check(&token, at).await.unwrap().subject, "ann");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jwks.json");
        let bearers = from(file.to_str().unwrap()).build(System::real(), called).unwrap().unwrap();
        assert!(bearers.prepare().await.unwrap_err().to_string().contains("jwks.json"));
        std::fs::write(&file, issuer.jwks()).unwrap();
        assert!(bearers.check(&token, at).await.is_ok());
    });
}

#[test]
fn half_a_setting_is_none() {
    let build = |settings: BearerSettings| settings.build(System::real(), called).map(|built| built.is_some());
    assert_eq!(build(BearerSettings::default()), Ok(false));
    let refused = |settings, reason: &str| {
        let error = build(settings).unwrap_err();
        assert!(error.contains(reason), "{error}");
    };
    refused(BearerSettings { jwks: None, ..from("") }, "jwt-jwks is not set");
    refused(BearerSettings { issuer: None, ..from("a") }, "jwt-issuer is not set");
    refused(BearerSettings { audiences: Vec::new(), ..from("a") }, "jwt-audience is not set");
    for names in [&[""][..], &["web", ""], &[" "]] {
        let audiences = names.iter().map(|&name| name.to_owned()).collect();
        refused(BearerSettings { audiences, ..from("a") }, "jwt-audience names nothing");
    }
    refused(BearerSettings { issuer: Some(String::new()), ..from("a") }, "jwt-issuer names nothing");
    refused(BearerSettings { leeway: 3_601, ..from("a") }, "jwt-leeway is more than an hour");
    for place in [
        "http://issuer.example/jwks",
        "ftp://issuer.example/jwks",
        "https://",
        "file:///etc/jwks",
        "http://127.0.0.1.example/",
    ] {
        refused(from(place), "write an https URL or the name of a file");
    }
}
