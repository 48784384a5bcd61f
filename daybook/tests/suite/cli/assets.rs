//! Assets from the log's side: what was uploaded, when, and what it was, from the raw log alone.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Http, Place, Request, Server, daybook};

/// Announces a text and gives the answer.
fn announce(client: &mut Http, id: &str, status: u16) -> Value {
    let body = json!({"assetId": id, "fileName": "Ünï.txt", "contentType": "text/plain", "contentLength": 5});
    client.post("/assets", &body.to_string()).expect(status).json()
}

/// Sends a content to where an answer says.
fn upload(client: &mut Http, announced: &Value, content: &str) -> u16 {
    let url = announced["uploadUrl"].as_str().unwrap();
    let path = &url[url.find("/assets/").unwrap()..];
    let request = Request {
        method: "PUT".to_owned(),
        path: path.to_owned(),
        body: Some(content.into()),
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
    };
    client.send(&request).unwrap().status
}

fn download(client: &mut Http, id: &str) -> String {
    let found = client.get(&format!("/assets/{id}/download")).expect(200).json();
    let url = found["downloadUrl"].as_str().unwrap();
    client.get(&url[url.find("/assets/").unwrap()..]).expect(200).text()
}

/// One uploaded, one pending, one removed and made again; and the URL of the first, which was used twice.
fn used() -> (Place, Value) {
    let place = Place::new();
    let server = Server::start(&place.data(), &[]);
    let mut client = server.client();
    let ann = announce(&mut client, "ann", 201);
    assert_eq!((upload(&mut client, &ann, "hello"), upload(&mut client, &ann, "jello")), (200, 409));
    announce(&mut client, "bob", 201);
    let made = announce(&mut client, "carl", 201);
    assert_eq!(upload(&mut client, &made, "first"), 200);
    client.delete("/assets/carl").expect(200);
    assert_eq!(upload(&mut client, &made, "again"), 403);
    let made = announce(&mut client, "carl", 201);
    assert_eq!(upload(&mut client, &made, "other"), 200);
    server.terminate();
    (place, ann["uploadUrl"].clone())
}

#[test]
fn the_log_tells_an_asset_s_life() {
    let (place, url) = used();
    for _ in 0..2 {
        daybook(&place.data(), &["verify"]).done();
        let history = daybook(&place.data(), &["history", "asset", "carl", "--format", "json"]).json();
        let types: Vec<&Value> = history["rows"].as_array().unwrap().iter().map(|row| &row["event_type"]).collect();
        let life = ["asset.created", "asset.uploaded", "asset.deleted", "asset.created", "asset.uploaded"];
        assert_eq!(types, life);
        let show = |args: &[&str]| daybook(&place.data(), &[&["show", "asset", "carl"], args].concat()).json();
        assert_eq!((&show(&[])["size"], &show(&[])["version"]), (&json!(5), &json!(5)));
        assert_ne!(show(&["--version", "2"])["checksum"], show(&[])["checksum"]);
        let ran = daybook(&place.data(), &["replay", "--json"]).done();
        let report: Value = serde_json::from_str(&ran).unwrap();
        assert_eq!((&report["changes"], &report["present"]["equal"]), (&json!(8), &json!(3)), "{report}");
        daybook(&place.data(), &["compact"]).done();
    }
    let signature = url.as_str().unwrap().rsplit_once("signature=").unwrap().1;
    let events = daybook(&place.data(), &["export", "events"]).done();
    assert_eq!(events.matches("\"path\":\"/assets/ann/content\"").count(), 2);
    assert!(signature.len() == 64 && !events.contains(signature));
}

#[test]
fn the_raw_log_alone_says_what_was_uploaded() {
    let (place, _) = used();
    for name in ["store.db", "store.db-wal", "store.db-shm", "store.lock", "installation.key"] {
        let _ = fs::remove_file(place.data().join(name));
    }
    daybook(&place.data(), &["replay", "--swap"]).done();
    daybook(&place.data(), &["verify"]).done();
    let server = Server::start(&place.data(), &[]);
    let mut client = server.client();
    assert_eq!((download(&mut client, "ann").as_str(), download(&mut client, "carl").as_str()), ("hello", "other"));
    client.get("/assets/bob/download").expect(409);
    let listed = client.get("/assets?status=uploaded").expect(200).json();
    assert_eq!((&listed["count"], &listed["items"][0]["fileName"]), (&json!(2), &json!("Ünï.txt")));
    // The old URLs are of a key that is gone; the same announcement again gives one of the new.
    let made = announce(&mut client, "bob", 200);
    assert_eq!(upload(&mut client, &made, "there"), 200);
    assert_eq!(download(&mut client, "bob"), "there");
    server.terminate();
    daybook(&place.data(), &["verify"]).done();
}
