//! Everything that the document says of a body, said wrong: made from its schemas, so that a new field is tried without
//! anybody thinking of it. The schemas decide, too, whether a body is to be refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ingest::Settings;
use ingest::http::{ReceivedBody, Response, limits};
use serde_json::{Map, Value, json};

use crate::contract::{DOCUMENT, operations, resolved};
use crate::problems::problem;
use crate::rig::{Backend, Req, Rig, json, run, with_api};
use crate::schema;

/// One operation with a body, and a request that it takes.
struct Target {
    method: String,
    path: String,
    schema: Value,
    good: Map<String, Value>,
}

/// What a body is to be refused for: a field's pointer and the code, where it is one alone.
type Fault<'a> = (&'a str, Option<&'a str>);

impl Target {
    /// Every operation that takes a body, on an entity that is there.
    async fn all(rig: &Rig) -> Vec<Self> {
        let mut targets = Vec::new();
        for (method, path, operation) in operations() {
            let body = &operation["requestBody"]["content"]["application/json"];
            if let Some(example) = body["example"].as_object() {
                let path = made(rig, path).await;
                targets.push(Self { method, path, schema: body["schema"].clone(), good: example.clone() });
            }
        }
        assert!(targets.len() >= 5, "{}", targets.len());
        targets
    }

    /// The fields that the schema tells of, each with its own.
    fn fields(&self) -> Map<String, Value> {
        let schema = resolved(&self.schema);
        let branches =
            schema["anyOf"].as_array().map_or_else(|| vec![schema], |any| any.iter().map(resolved).collect());
        branches.iter().flat_map(|branch| branch["properties"].as_object().unwrap().clone()).collect()
    }

    fn with(&self, name: &str, value: Value) -> Value {
        let mut body = self.good.clone();
        body.insert(name.to_owned(), value);
        Value::Object(body)
    }

    fn request(&self, body: impl AsRef<[u8]>) -> Req {
        Req::new(&self.method, &self.path).body(body)
    }

    /// Sends a body of which the schema says whether it is to be taken.
    async fn judged(&self, rig: &Rig, body: &Value, fault: Fault<'_>) {
        let wrong = !schema::errors(&self.schema, body).is_empty();
        self.sent(rig, body.to_string().as_bytes(), wrong.then_some(fault)).await;
    }

    /// Sends bytes that are to be refused for a fault, or taken; the event has them as they came.
    async fn sent(&self, rig: &Rig, bytes: &[u8], fault: Option<Fault<'_>>) {
        let response = rig.send(self.request(bytes)).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
        let shown = format!("{} {} {shown}: {}", self.method, self.path, String::from_utf8_lossy(response.body()));
        match fault {
            None => assert!(response.status() < 300 || response.status() == 409, "{shown}"),
            Some((pointer, code)) => {
                assert_eq!(response.status(), 400, "{shown}");
                assert!(names(&response, pointer, code), "{pointer} {code:?}: {shown}");
            }
        }
        self.is_recorded(rig, bytes).await;
    }

    async fn is_recorded(&self, rig: &Rig, bytes: &[u8]) {
        let event = rig.last_event().await;
        assert_eq!(event.request_bytes, bytes.len() as i64);
        if bytes.is_empty() {
            return;
        }
        assert_eq!(event.request_body_sha256, Some(event::sha256_hex(bytes)));
        let kept = match &event.request_body_ref {
            Some(key) => rig.backend.store().read_aside(key).await.unwrap().unwrap(),
            None => event.request_body.unwrap().into_bytes(),
        };
        let whole =
            if std::str::from_utf8(bytes).is_ok() { bytes.to_vec() } else { STANDARD.encode(bytes).into_bytes() };
        assert!(
            kept == whole,
            "{:.300} is kept as {:.300}",
            String::from_utf8_lossy(bytes),
            String::from_utf8_lossy(&kept)
        );
    }
}

/// A path with its parameters filled in: an entity that was made for it, by the example of the collection's `POST`.
pub async fn made(rig: &Rig, template: &str) -> String {
    let Some((collection, rest)) = template.split_once("/{id}") else { return template.to_owned() };
    let example = &DOCUMENT["paths"][collection]["post"]["requestBody"]["content"]["application/json"]["example"];
    let response = rig.send(Req::post(collection, &example.to_string())).await;
    format!("{collection}/{}{rest}", json(&response)["id"].as_str().unwrap())
}

/// Whether a problem names a field, parameter or header.
pub fn names(response: &Response, pointer: &str, code: Option<&str>) -> bool {
    let found = problem(response, "invalid-request");
    let errors = found["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().any(|error| error["pointer"] == pointer && code.is_none_or(|code| error["code"] == code))
}

/// A text as JSON has it, but for what is put in between.
fn raw(target: &Target, name: &str, value: &[u8]) -> Vec<u8> {
    let mark = "\"@@@\"";
    let text = target.with(name, "@@@".into()).to_string();
    let (before, after) = text.split_once(mark).unwrap();
    [before.as_bytes(), value, after.as_bytes()].concat()
}

/// Every field of every body. Each is tried on an API of its own: the whole log is read after each request.
fn fields() -> Vec<(usize, String)> {
    run(async {
        let targets = Target::all(&Rig::new(Backend::memory(), Settings::default())).await;
        let fields = targets.iter().enumerate().map(|(index, target)| (index, target.fields()));
        fields.flat_map(|(index, fields)| fields.into_iter().map(move |(name, _)| (index, name))).collect()
    })
}

#[test]
fn every_field() {
    let fields = fields();
    assert!(fields.len() >= 14, "{fields:?}");
    for (index, name) in fields {
        with_api(&Settings::default(), async |rig| {
            let target = Target::all(rig).await.swap_remove(index);
            let of = &target.fields()[&name];
            wrong_field(rig, &target, &name, of).await;
        });
    }
}

async fn wrong_field(rig: &Rig, target: &Target, name: &str, of: &Value) {
    let (pointer, is_number) = (format!("/{name}"), of["type"] == "integer");
    let mut without = target.good.clone();
    if without.remove(name).is_some() {
        let whole = if without.is_empty() { "" } else { &pointer };
        target.judged(rig, &without.into(), (whole, Some("missing"))).await;
    }
    for value in [json!(null), json!(1), json!(true), json!([]), json!({}), json!(9_007_199_254_740_993_i64)] {
        let fault = if value.is_number() && is_number { "invalid_value" } else { "invalid_type" };
        target.judged(rig, &target.with(name, value), (&pointer, Some(fault))).await;
    }
    if is_number {
        for value in
            [json!(-1), json!(0.5), json!(107.0), json!(1e300), json!(i64::MIN), json!(u64::MAX), of["maximum"].clone()]
        {
            target.judged(rig, &target.with(name, value), (&pointer, Some("invalid_value"))).await;
        }
    }
    for value in
        ["", " ", "\u{3000}\n", "a\0b", "odd", "NEW", "\u{feff}", "a@b@c", "../x", "é\u{301}\u{1f469}\u{200d}\u{1f467}"]
    {
        let fault = if is_number { "invalid_type" } else { "invalid_value" };
        target.judged(rig, &target.with(name, value.into()), (&pointer, Some(fault))).await;
    }
    if let Some(most) = of["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok()) {
        for fits in ["a", "é"] {
            target.judged(rig, &target.with(name, fits.repeat(most).into()), (&pointer, None)).await;
        }
        for long in ["a".repeat(most + 1), "é".repeat(most + 1), "a".repeat(100_000)] {
            target.judged(rig, &target.with(name, long.into()), (&pointer, Some("too_long"))).await;
        }
    }
    let twice = target.with(name, "a".into()).to_string().replacen('{', &format!("{{{name:?}:\"a\","), 1);
    target.sent(rig, twice.as_bytes(), Some((&pointer, Some("duplicate")))).await;
    let broken: [&[u8]; 8] =
        [br#""\ud800""#, br#""\udc00\ud800""#, b"\"a\xff\"", b"\"\xc0\x80\"", b"\"a\0\"", b"1e400", b"01", b"NaN"];
    for value in broken {
        target.sent(rig, &raw(target, name, value), Some(("", Some("malformed")))).await;
    }
}

#[test]
fn every_body() {
    with_api(&Settings::default(), async |rig| {
        for target in Target::all(rig).await {
            for (name, pointer) in [("odd", "/odd"), ("a/b~c", "/a~1b~0c"), ("", "/"), ("Task", "/Task"), ("\0", "/\0")]
            {
                target.judged(rig, &target.with(name, json!([1, null])), (pointer, Some("unknown"))).await;
            }
            let good = Value::from(target.good.clone()).to_string();
            target.sent(rig, format!(" \r\n\t{good}\n").as_bytes(), None).await;
            for whole in ["null", "[]", "\"a\"", "1", "true", "[{}]"] {
                target.sent(rig, whole.as_bytes(), Some(("", Some("invalid_type")))).await;
            }
            for broken in ["", " ", "{", "}", "{\"a\"}", "{'a': 1}", "{\"a\":1,}", "\u{feff}{}", "nul", "{}{}", "a=b"] {
                target.sent(rig, broken.as_bytes(), Some(("", Some("malformed")))).await;
            }
            for (body, fault) in
                [(format!("{good} {{}}"), "malformed"), (good.replacen('{', "{\"x\":undefined,", 1), "malformed")]
            {
                target.sent(rig, body.as_bytes(), Some(("", Some(fault)))).await;
            }
            for (depth, fault) in [(64, ("/odd", "unknown")), (65, ("", "too_deep")), (100_000, ("", "too_deep"))] {
                let nested = format!("{}{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
                let taken = depth == 64 && schema::errors(&target.schema, &target.with("odd", json!([]))).is_empty();
                let fault = (!taken).then_some((fault.0, Some(fault.1)));
                target.sent(rig, &raw(&target, "odd", nested.as_bytes()), fault).await;
            }
        }
    });
}

#[test]
fn bodies_at_the_limit_and_over_it() {
    with_api(&Settings::default(), async |rig| {
        for target in Target::all(rig).await {
            let good = Value::from(target.good.clone()).to_string();
            let padded = format!("{good}{}", " ".repeat(limits::BODY - good.len()));
            target.sent(rig, padded.as_bytes(), None).await;
            let size = limits::BODY as u64 + 1;
            let over = Req::new(&target.method, &target.path).received_body(ReceivedBody::TooLarge { size });
            problem(&rig.expect(413, over).await, "content-too-large");
            let event = rig.last_event().await;
            assert_eq!((event.request_bytes, event.request_body), (limits::BODY as i64 + 1, None));
        }
    });
}

#[test]
fn secrets_of_refused_bodies_are_masked() {
    with_api(&Settings::default(), async |rig| {
        for target in Target::all(rig).await {
            let body = target.with("password", "hunter2".into()).to_string().replacen('{', "{\"user_id\":0,", 1);
            rig.send(target.request(&body)).await;
            let event = rig.last_event().await;
            assert_eq!(event.request_body_sha256, Some(event::sha256_hex(body.as_bytes())));
            let (kept, mask) = (event.request_body.unwrap(), "[redacted:");
            let at = kept.find(mask).unwrap();
            let shown = format!("{}hunter2{}", &kept[..at], &kept[at + mask.len() + 9..]);
            assert_eq!(shown, body, "nothing else is changed");
        }
    });
}

#[test]
fn numbers_that_a_submission_keeps() {
    with_api(&Settings::default(), async |rig| {
        for number in [
            "9007199254740993",
            "-18446744073709551617",
            "123456789012345678901234567890",
            "1E+2",
            "0.10000000000000000001",
            "-0",
        ] {
            let body = format!("{{\"user_id\":\"u\",\"message\":\"m\",\"n\":{number}}}");
            let made = rig.expect(201, Req::post("/data", &body)).await;
            let shown = rig.expect(200, Req::get(made.header("location").unwrap())).await;
            assert!(String::from_utf8_lossy(shown.body()).contains(&format!("\"n\":{number}}}")), "{number}");
        }
    });
}
