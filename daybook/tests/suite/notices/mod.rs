//! Notices: what is told of, to receivers of every kind, and what holds when either side fails.

mod receiver;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use self::receiver::{Answer, Receiver, TAKEN, Told};
use crate::support::{Http, Place, Server, daybook, eventually, raw_events, text};

/// Nobody is told within this, if nobody is to be told.
const WHILE: Duration = Duration::from_millis(700);
const SOON: Duration = Duration::from_secs(20);

fn serve(data: &Path, url: &str, more: &[&str]) -> Server {
    Server::start(data, &[&["--relay-every", "50ms", "--notify-url", url], more].concat())
}

fn task(client: &mut Http, status: &str) -> String {
    text(&client.post("/tasks", &format!(r#"{{"task":"t","status":"{status}"}}"#)).expect(201).json(), "/id")
}

fn put(client: &mut Http, id: &str, change: &str) {
    client.put(&format!("/tasks/{id}"), change).expect(200);
}

fn complete(client: &mut Http, id: &str) {
    put(client, id, r#"{"status":"completed"}"#);
}

fn what(told: &[Told]) -> Vec<(String, String, i64)> {
    told.iter().map(Told::what).collect()
}

/// The notices that were given up.
fn letters(data: &Path) -> Vec<Value> {
    let list = daybook(data, &["notices", "list", "--format", "ndjson"]).done();
    list.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn grade_of_notices(data: &Path) -> (String, String) {
    let report: Value = serde_json::from_str(&daybook(data, &["doctor", "--json"]).out).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["check"] == "notices").unwrap();
    (text(check, "/grade"), text(check, "/found"))
}

#[test]
fn a_task_that_becomes_completed_is_told_of_once_and_signed() {
    let (place, receiver) = (Place::new(), Receiver::start());
    let server = serve(&place.data(), &receiver.url(), &[]);
    let mut client = server.client();
    let (first, second) = (task(&mut client, "new"), task(&mut client, "completed"));
    put(&mut client, &first, r#"{"priority":"high"}"#);
    complete(&mut client, &first);
    // It is completed already.
    complete(&mut client, &first);
    put(&mut client, &first, r#"{"priority":"low"}"#);
    put(&mut client, &first, r#"{"status":"new"}"#);
    complete(&mut client, &first);
    receiver.await_told(3);
    std::thread::sleep(WHILE);
    let told = receiver.told();
    let mut said = what(&told);
    said.sort_by_key(|(_, id, version)| (*id != first, *version));
    let completed = |id: &str, version| ("task.completed".to_owned(), id.to_owned(), version);
    assert_eq!(said, [completed(&first, 3), completed(&first, 7), completed(&second, 1)]);
    server.terminate();

    let secret = daybook(&place.data(), &["notices", "secret"]).done();
    let key = STANDARD.decode(secret.trim().strip_prefix("whsec_").unwrap()).unwrap();
    let events = raw_events(&place.data());
    for told in &told {
        let signed = format!("{}.{}.{}", told.id(), told.header("webhook-timestamp"), told.body);
        let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(signed).finalize().into_bytes();
        assert_eq!(told.header("webhook-signature"), format!("v1,{}", STANDARD.encode(mac)));
        assert_eq!(told.header("content-type"), "application/json");
        assert!(events.iter().any(|event| event.event_id == told.id()), "the id is an event's");
        let message = told.message();
        assert_eq!(text(&message, "/data/event_id"), told.id());
        assert_eq!(text(&message, "/data/state/status"), "completed");
        assert_eq!(text(&message, "/data/tenant"), "default");
        assert!(!told.body.contains("127.0.0.1"), "{}", told.body);
    }
    let (grade, found) = grade_of_notices(&place.data());
    assert_eq!(grade, "fine", "{found}");
}

#[test]
fn what_is_chosen_is_told_of_and_nothing_else() {
    let (place, receiver) = (Place::new(), Receiver::start());
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let events = "user.*,data.submitted,request.rejected,task.updated";
    let server = serve(&place.data(), &receiver.url(), &["--notify-events", events, "--notify-secret", secret]);
    let mut client = server.client();
    client.post("/users", r#"{"userId":"ann","name":"Ann","email":"ann@example.org"}"#).expect(201);
    client.post("/data", r#"{"user_id":"ann","message":"of the body alone"}"#).expect(201);
    client.post("/data", r#"{"message":7}"#).expect(400);
    client.get("/tasks").expect(200);
    let id = task(&mut client, "new");
    complete(&mut client, &id);
    let told = receiver.await_told(4);
    std::thread::sleep(WHILE);
    assert_eq!(receiver.told().len(), 4);
    let types: BTreeSet<String> = told.iter().map(|told| text(&told.message(), "/type")).collect();
    let expect = ["user.created", "data.submitted", "request.rejected", "task.updated"].map(str::to_owned);
    assert_eq!(types, BTreeSet::from(expect));
    assert!(told.iter().all(|told| !told.body.contains("of the body alone")), "{told:?}");
    server.terminate();
    assert_eq!(daybook(&place.data(), &["notices", "secret", "--notify-secret", secret]).done().trim(), secret);
}

#[test]
fn what_fails_comes_again_and_redirections_are_not_followed() {
    let (place, elsewhere) = (Place::new(), Receiver::start());
    let location: &'static str = format!("location: {}", elsewhere.url()).leak();
    let receiver = Receiver::answering(move |_, before| match before {
        0 => Answer::With(500, ""),
        1 => Answer::With(307, location),
        2 => Answer::Closed,
        _ => TAKEN,
    });
    let server = serve(&place.data(), &receiver.url(), &[]);
    task(&mut server.client(), "completed");
    let told = receiver.await_told(4);
    std::thread::sleep(WHILE);
    assert_eq!(receiver.told().len(), 4, "what was taken does not come again");
    assert!(told.iter().all(|again| again.id() == told[0].id() && again.body == told[0].body));
    assert!(elsewhere.told().is_empty());
    let pauses: Vec<Duration> = told.windows(2).map(|two| two[1].at - two[0].at).collect();
    for (pause, least) in pauses.iter().zip([700, 1_400, 2_900]) {
        assert!(*pause >= Duration::from_millis(least), "{pauses:?}");
    }
    server.terminate();
}

#[test]
fn a_receiver_that_asks_for_it_is_left_alone() {
    let place = Place::new();
    let receiver = Receiver::answering(|_, before| match before {
        0 => Answer::With(429, "retry-after: 3"),
        _ => TAKEN,
    });
    let server = serve(&place.data(), &receiver.url(), &[]);
    let mut client = server.client();
    task(&mut client, "completed");
    receiver.await_told(1);
    std::thread::sleep(Duration::from_millis(200));
    task(&mut client, "completed");
    let told = receiver.await_told(3);
    assert!(told[1..].iter().all(|again| again.at - told[0].at >= Duration::from_secs(3)), "{told:?}");
    server.terminate();
}

#[test]
fn what_nobody_takes_is_a_dead_letter_until_somebody_does() {
    let place = Place::new();
    let nobody = "http://127.0.0.1:9/hooks?from=daybook";
    let server = serve(&place.data(), nobody, &["--notify-attempts", "2"]);
    let mut client = server.client();
    let ids = [task(&mut client, "completed"), task(&mut client, "completed")];
    let dead = eventually(SOON, "two letters", || Some(letters(&place.data())).filter(|dead| dead.len() == 2));
    assert!(dead.iter().all(|letter| letter["attempts"] == 2 && letter["type"] == "task.completed"), "{dead:?}");
    assert!(text(&dead[0], "/reason").contains("refused"), "{dead:?}");
    let (grade, found) = grade_of_notices(&place.data());
    assert_eq!((grade.as_str(), found.as_str()), ("warning", "2 notices were given up"));

    let receiver = Receiver::start();
    let first = text(&dead[0], "/event_id");
    let failing = daybook(&place.data(), &["notices", "retry", "--notify-url", nobody]);
    assert_eq!((failing.code, letters(&place.data()).len()), (1, 2), "{failing:?}");
    daybook(&place.data(), &["notices", "retry", &first, "--notify-url", &receiver.url()]).done();
    assert_eq!((receiver.await_told(1)[0].id(), letters(&place.data()).len()), (first.as_str(), 1));
    daybook(&place.data(), &["notices", "retry", &first, "--notify-url", &receiver.url()]).refuses("was given up");
    daybook(&place.data(), &["notices", "retry", "--notify-url", &receiver.url()]).done();
    let told: BTreeSet<String> = receiver.told().iter().map(|told| told.what().1).collect();
    assert_eq!(told, BTreeSet::from(ids));
    assert!(letters(&place.data()).is_empty());
    server.terminate();
    // Nothing of it is left for the next server.
    let server = serve(&place.data(), &receiver.url(), &[]);
    std::thread::sleep(WHILE);
    assert_eq!(receiver.told().len(), 2);
    server.terminate();
    daybook(&place.data(), &["notices", "retry"]).refuses("set notify-url");
}

#[test]
fn a_receiver_that_is_gone_is_not_asked_again() {
    let (place, receiver) = (Place::new(), Receiver::answering(|_, _| Answer::With(410, "")));
    let server = serve(&place.data(), &receiver.url(), &[]);
    task(&mut server.client(), "completed");
    let dead = eventually(SOON, "a letter", || letters(&place.data()).pop());
    assert_eq!((&dead["attempts"], receiver.told().len()), (&1.into(), 1));
    server.terminate();
}

#[test]
fn what_was_sent_and_not_noted_comes_again_after_a_kill() {
    let place = Place::new();
    let receiver = Receiver::answering(|_, before| if before == 0 { Answer::Never } else { TAKEN });
    let server = serve(&place.data(), &receiver.url(), &[]);
    task(&mut server.client(), "completed");
    receiver.await_told(1);
    server.kill();
    let server = serve(&place.data(), &receiver.url(), &[]);
    let told = receiver.await_told(2);
    assert_eq!((told[1].id(), &told[1].body), (told[0].id(), &told[0].body));
    std::thread::sleep(WHILE);
    assert_eq!(receiver.told().len(), 2);
    server.terminate();
}

#[test]
fn attempts_are_counted_across_restarts_and_what_came_meanwhile_is_told_of() {
    let place = Place::new();
    let failing = Receiver::answering(|_, _| Answer::With(503, ""));
    let server = serve(&place.data(), &failing.url(), &["--notify-attempts", "2"]);
    let id = task(&mut server.client(), "completed");
    failing.await_told(1);
    server.terminate();
    // Without a URL nothing is sent, and nothing forgotten.
    let server = Server::start(&place.data(), &[]);
    let other = task(&mut server.client(), "completed");
    server.terminate();
    let server = serve(&place.data(), &failing.url(), &["--notify-attempts", "2"]);
    let dead = eventually(SOON, "a letter", || Some(letters(&place.data())).filter(|dead| !dead.is_empty()));
    assert_eq!((text(&dead[0], "/event_id").as_str(), &dead[0]["attempts"]), (failing.told()[0].id(), &2.into()));
    server.terminate();
    let told = what(&failing.told());
    assert_eq!(told.iter().filter(|(_, of, _)| *of == id).count(), 2, "{told:?}");
    assert!(told.iter().any(|(_, of, _)| *of == other), "{told:?}");
}

#[test]
fn a_place_that_cannot_be_read_is_no_place_to_begin_from() {
    let (place, receiver) = (Place::new(), Receiver::start());
    serve(&place.data(), &receiver.url(), &[]).terminate();
    let position = place.data().join("notices/position.json");
    std::fs::write(&position, "{").unwrap();
    let serve_again = ["serve", "--listen", "127.0.0.1:0", "--notify-url", &receiver.url()];
    daybook(&place.data(), &serve_again).refuses("position.json; removed, notices begin with what comes");
    assert_eq!(grade_of_notices(&place.data()).0, "broken");
    std::fs::remove_file(position).unwrap();
    let server = serve(&place.data(), &receiver.url(), &[]);
    task(&mut server.client(), "completed");
    receiver.await_told(1);
    server.terminate();
}

#[test]
fn the_first_server_that_tells_begins_with_what_comes() {
    let (place, receiver) = (Place::new(), Receiver::start());
    let server = Server::start(&place.data(), &[]);
    task(&mut server.client(), "completed");
    server.terminate();
    let server = serve(&place.data(), &receiver.url(), &[]);
    let id = task(&mut server.client(), "completed");
    receiver.await_told(1);
    std::thread::sleep(WHILE);
    assert_eq!(what(&receiver.told()), [("task.completed".to_owned(), id, 1)]);
    server.terminate();
}

#[test]
fn an_entity_s_notices_keep_their_order_and_hold_up_no_other_s() {
    let place = Place::new();
    let receiver = Receiver::answering(|told, before| {
        let (_, _, version) = told.what();
        if version == 2 && before < 3 { Answer::With(500, "") } else { TAKEN }
    });
    let server = serve(&place.data(), &receiver.url(), &["--notify-events", "task.*"]);
    let mut client = server.client();
    let id = task(&mut client, "new");
    complete(&mut client, &id);
    put(&mut client, &id, r#"{"priority":"low"}"#);
    client.delete(&format!("/tasks/{id}"));
    let other = task(&mut client, "new");
    let told = what(&receiver.await_told(6));
    let of = |id: &str| told.iter().filter(|it| it.1 == id).map(|it| (it.0.as_str(), it.2)).collect::<Vec<_>>();
    let (completed, updated) = (("task.completed", 2), ("task.updated", 3));
    assert_eq!(of(&id), [("task.created", 1), completed, completed, updated, ("task.deleted", 4)]);
    assert_eq!(of(&other), [("task.created", 1)]);
    let place_of_other = told.iter().position(|it| it.1 == other).unwrap();
    assert!(place_of_other < told.iter().rposition(|it| it.2 == 2).unwrap(), "it did not wait: {told:?}");
    server.terminate();
}

#[test]
fn a_receiver_that_never_answers_holds_up_nobody_but_itself() {
    let (place, receiver) = (Place::new(), Receiver::answering(|_, _| Answer::Never));
    let server = serve(&place.data(), &receiver.url(), &["--notify-attempts", "1", "--notify-timeout", "2s"]);
    let mut client = server.client();
    task(&mut client, "completed");
    receiver.await_told(1);
    let mut slowest = Duration::ZERO;
    for _ in 0..100 {
        let begun = Instant::now();
        task(&mut client, "completed");
        slowest = slowest.max(begun.elapsed());
    }
    eprintln!("beside a receiver that never answers, the slowest of 100 requests took {slowest:?}");
    assert!(slowest < Duration::from_secs(2), "a request waited for the receiver: {slowest:?}");
    eventually(SOON, "the relay goes on", || (raw_events(&place.data()).len() == 101).then_some(()));
    let dead = eventually(SOON, "a letter", || letters(&place.data()).pop());
    assert!(text(&dead, "/reason").contains("no answer within 2s"), "{dead}");
    server.terminate();
    daybook(&place.data(), &["verify"]).done();
}

#[test]
fn a_store_that_was_made_anew_is_told_of_from_where_the_old_one_was() {
    let (place, receiver) = (Place::new(), Receiver::start());
    let server = serve(&place.data(), &receiver.url(), &[]);
    task(&mut server.client(), "completed");
    receiver.await_told(1);
    server.terminate();
    let server = Server::start(&place.data(), &[]);
    let unread = task(&mut server.client(), "completed");
    server.terminate();
    daybook(&place.data(), &["replay", "--swap"]).done();
    let server = serve(&place.data(), &receiver.url(), &[]);
    let new = task(&mut server.client(), "completed");
    for id in [unread, new] {
        eventually(SOON, "its notice", || receiver.told().iter().any(|told| told.what().1 == id).then_some(()));
    }
    server.terminate();
}
