//! `/queries` on AWS: the function `ingest`, the function `query` behind it, and a stand-in for Athena behind that.

use std::cell::Cell;
use std::time::Duration;

use event::Event;
use rig::invoke_api::{InvokeApi, Trouble};
use rig::runtime_api::{FunctionProcess, RuntimeApi};
use serde_json::{Value, json};

use crate::athena::{self, Asked, Script};
use crate::world::{World, request};

/// Both functions, as they are on AWS. `acme` and `other` are keys of tenants of these names.
struct Desk {
    world: World,
    lambda: InvokeApi,
    asked: Asked,
    /// How much of it has been looked at.
    seen: Cell<usize>,
    functions: [FunctionProcess; 2],
}

impl Desk {
    async fn new(script: Script) -> Self {
        let (athena, asked) = athena::start(script).await;
        Self::before(&[("AWS_ENDPOINT_URL_ATHENA", &format!("http://{athena}"))], asked).await
    }

    /// The same with these variables for the function `query`.
    async fn before(athena: &[(&str, &str)], asked: Asked) -> Self {
        let world = World::new().await;
        let runtime = RuntimeApi::start().await;
        let lambda = InvokeApi::start([("questions", &runtime)]).await;
        let settings = [("DAYBOOK_WORKGROUP", "primary"), ("DAYBOOK_DATABASE", "lake")];
        let query = runtime.function("query", &[&settings, athena].concat());
        let keys: Vec<String> =
            ["acme", "other"].map(|name| format!("{name}:{name}:{}", event::sha256_hex(name.as_bytes()))).into();
        let ingest = world.function(
            "ingest",
            &[
                ("DAYBOOK_QUERY_FUNCTION", "questions"),
                ("DAYBOOK_API_KEYS", &keys.join(",")),
                ("AWS_ENDPOINT_URL_LAMBDA", &lambda.url()),
            ],
        );
        Self { world, lambda, asked, seen: Cell::new(0), functions: [query, ingest] }
    }

    /// Asks as this tenant, of a function that has 28 seconds.
    async fn ask(&self, tenant: &str, target: &str) -> Answered {
        self.ask_within(tenant, target, Duration::from_secs(28)).await
    }

    async fn ask_within(&self, tenant: &str, target: &str, time: Duration) -> Answered {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut event = request("load-balancer", "GET", path, "");
        event["headers"]["x-api-key"] = tenant.into();
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), Value::from(value)));
        event["queryStringParameters"] = pairs.collect::<serde_json::Map<_, _>>().into();
        let answer = self.world.api.invoke_within(&event.to_string(), time).await.await.unwrap().success();
        Answered(answer)
    }

    /// What Athena was asked since the last time: operations, without what says how a query stands.
    fn athena(&self) -> Vec<(String, Value)> {
        let asked = self.asked.lock().unwrap();
        let since = self.seen.replace(asked.len());
        asked[since..].iter().filter(|(operation, _)| operation != "GetQueryExecution").cloned().collect()
    }

    /// Ends both; gives every event in the log.
    async fn log(mut self) -> Vec<Event> {
        for function in &mut self.functions {
            function.kill().await;
        }
        let events = self.world.raw().await;
        self.world.clients.remove_stream(&self.world.stream).await;
        events
    }
}

struct Answered(Value);

impl Answered {
    fn status(&self) -> i64 {
        self.0["statusCode"].as_i64().unwrap()
    }

    fn text(&self) -> &str {
        self.0["body"].as_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|_| panic!("{}", self.0))
    }

    fn header(&self, name: &str) -> &str {
        self.0["headers"][name].as_str().unwrap_or_default()
    }
}

fn state(state: &str, reason: &str) -> Value {
    json!({"State": state, "StateChangeReason": reason})
}

fn seven(states: Vec<Value>) -> Script {
    Script {
        states,
        columns: vec![("requests", "bigint")],
        rows: vec![vec![Some("7".to_owned())]],
        scanned: 12,
        ..Script::default()
    }
}

#[tokio::test]
async fn a_question_is_answered_and_each_is_an_event() {
    let desk = Desk::new(seven(vec![state("SUCCEEDED", "")])).await;
    let listed = desk.ask("acme", "/queries").await;
    assert!(listed.status() == 200 && listed.json()["count"].as_u64() > Some(5), "{}", listed.0);
    let rows = desk.ask("acme", "/queries/traffic?from=now%20-%201h").await;
    assert_eq!((rows.status(), rows.header("daybook-bytes-read")), (200, "12"), "{}", rows.0);
    let document = rows.json();
    assert_eq!((&document["query"], &document["rows"]), (&json!("traffic"), &json!([{"requests": 7}])), "{document}");
    assert!(document["elapsed_ms"].is_number() && document["cost_usd"].is_number(), "{document}");
    let athena = desk.athena();
    let operations: Vec<&str> = athena.iter().map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(operations, ["StartQueryExecution", "GetQueryResults"]);
    assert!(athena[0].1["ExecutionParameters"].to_string().contains("'acme'"), "{athena:?}");
    let csv = desk.ask("other", "/queries/traffic?format=csv&from=now%20-%201h").await;
    assert_eq!((csv.text(), csv.header("content-type")), ("requests\r\n7\r\n", "text/csv"), "{}", csv.0);
    assert!(desk.athena()[0].1["ExecutionParameters"].to_string().contains("'other'"));
    let log = desk.log().await;
    let of = |event: &Event| (event.tenant.clone(), event.entity_id.clone(), event.status);
    let traffic = |tenant: &str| (tenant.to_owned(), Some("traffic".to_owned()), 200);
    let mut events: Vec<_> = log.iter().map(of).collect();
    events.sort();
    assert_eq!(events, [("acme".to_owned(), None, 200), traffic("acme"), traffic("other")]);
    assert!(log.iter().all(|event| event.event_type == "request.read"));
}

/// moto knows no tables: every run succeeds, and what was put into its queue is the answer.
#[tokio::test]
async fn another_stand_in_takes_the_same_questions() {
    let world = World::new().await;
    let results = format!("s3://{}/results/", world.bucket);
    let desk = Desk::before(&[("DAYBOOK_RESULTS", &results)], Asked::default()).await;
    let answer = desk.ask("acme", "/queries/traffic?from=now%20-%201h").await;
    assert_eq!((answer.status(), &answer.json()["query"]), (200, &json!("traffic")), "{}", answer.0);
    let run = desk.ask("acme", "/queries/traffic?run=01a2").await;
    assert_eq!(run.status(), 404, "{}", run.0);
    assert_eq!(desk.log().await.len(), 2);
    world.clients.remove_stream(&world.stream).await;
}

#[tokio::test]
async fn who_need_not_wait_comes_back_and_nobody_else_can() {
    let mut states = vec![state("RUNNING", ""); 11];
    states.push(state("SUCCEEDED", ""));
    let desk = Desk::new(seven(states)).await;
    let short = Duration::from_secs(3);
    let sent_away = desk.ask_within("acme", "/queries/traffic?from=now%20-%201h&format=csv", short).await;
    assert_eq!((sent_away.status(), sent_away.header("retry-after")), (202, "2"), "{}", sent_away.0);
    assert_eq!(sent_away.json(), json!({"query": "traffic", "status": "running"}));
    let location = sent_away.header("location").to_owned();
    assert!(location.starts_with("/queries/traffic?run=") && location.ends_with("&format=csv"), "{location}");
    assert!(!location.contains("q-1"), "Athena's own id is nobody's");
    let token = location.split(['=', '&']).nth(1).unwrap();
    let altered = format!("/queries/traffic?run=B{}", &token[1..]);
    for (tenant, target, status) in [
        ("other", location.as_str(), 404),
        ("acme", &location.replace("traffic", "errors"), 404),
        ("acme", &altered, 404),
        ("acme", "/queries/traffic?run=q-1", 404),
        ("acme", &format!("{location}&from=now"), 400),
    ] {
        let refused = desk.ask(tenant, target).await;
        assert_eq!(refused.status(), status, "{tenant} {target}: {}", refused.0);
        assert!(refused.header("content-type").starts_with("application/problem+json"), "{}", refused.0);
    }
    let started = desk.athena();
    assert_eq!(started.len(), 1, "nobody else's question reached Athena: {started:?}");
    let mut answer = desk.ask_within("acme", &location, short).await;
    for _ in 0..10 {
        if answer.status() == 202 {
            answer = desk.ask_within("acme", answer.header("location"), short).await;
        }
    }
    assert_eq!((answer.status(), answer.text()), (200, "requests\r\n7\r\n"), "{}", answer.0);
    assert!(desk.athena().iter().all(|(operation, _)| operation == "GetQueryResults"), "it was started once");
    let again = desk.ask("acme", &location.replace("csv", "ndjson")).await;
    assert_eq!((again.status(), again.text()), (200, "{\"requests\":7}\n"), "it can be read again: {}", again.0);
    let log = desk.log().await;
    assert_eq!(log.iter().filter(|event| event.status == 404).count(), 4, "refusals are events, too");
    assert!(log.iter().any(|event| event.status == 202 && event.event_type == "request.read"));
}

#[tokio::test]
async fn failures_are_problems() {
    let desk = Desk::new(seven(vec![
        state("FAILED", "SYNTAX_ERROR: line 1:8"),
        state("FAILED", "Query timeout"),
        state("FAILED", "Query exhausted resources at this scale factor"),
        state("CANCELLED", "Query cancelled by user"),
    ]))
    .await;
    let ask = "/queries/traffic?from=now%20-%201h";
    for (target, status, slug) in [
        ("/queries/nosuch", 404, "not-found"),
        ("/queries/traffic?from=soon", 400, "invalid-request"),
        ("/queries/traffic?nosuch=1", 400, "invalid-request"),
        ("/queries/traffic?format=xml", 400, "invalid-request"),
        (ask, 500, "internal-error"),
        (ask, 504, "query-timeout"),
        (ask, 503, "unavailable"),
        (ask, 504, "query-timeout"),
    ] {
        let refused = desk.ask("acme", target).await;
        assert_eq!(refused.status(), status, "{target}: {}", refused.0);
        assert_eq!(refused.json()["type"], format!("urn:daybook:problem:{slug}"), "{}", refused.0);
        assert!(!refused.text().contains("SYNTAX_ERROR"), "what Athena says of our SQL is for the log: {}", refused.0);
    }
    desk.functions[0].line(|line| line.to_string().contains("SYNTAX_ERROR")).await;
    let bad = desk.ask("acme", "/queries/traffic?from=soon").await;
    assert!(bad.json()["errors"][0].to_string().contains("from"), "{}", bad.0);
    assert_eq!(desk.log().await.len(), 9);
}

#[tokio::test]
async fn what_is_busy_is_asked_again_and_then_said() {
    let desk = Desk::new(Script { throttled: 4, ..seven(vec![state("SUCCEEDED", "")]) }).await;
    let ask = "/queries/traffic?from=now%20-%201h";
    let busy = desk.ask("acme", ask).await;
    assert_eq!((busy.status(), busy.header("retry-after")), (503, "1"), "Athena, three times: {}", busy.0);
    assert_eq!(desk.ask("acme", ask).await.status(), 200, "the fourth time, and then it takes it");
    desk.lambda.trouble(Trouble::Throttled, 3);
    let busy = desk.ask("acme", ask).await;
    assert_eq!((busy.status(), busy.header("retry-after")), (503, "1"), "Lambda, three times: {}", busy.0);
    desk.athena();
    desk.lambda.trouble(Trouble::Lost, 2);
    assert_eq!(desk.ask("acme", ask).await.status(), 200);
    let tokens: Vec<Value> = desk
        .athena()
        .into_iter()
        .filter_map(|(operation, body)| {
            (operation == "StartQueryExecution").then(|| body["ClientRequestToken"].clone())
        })
        .collect();
    assert!(tokens.len() == 3 && tokens.iter().all(|token| *token == tokens[0]), "one run: {tokens:?}");
    assert!(tokens[0].as_str().unwrap().len() >= 32, "{tokens:?}");
    desk.log().await;
}

#[tokio::test]
async fn what_cannot_be_carried_is_refused_and_what_is_gone_is_not_found() {
    let script = seven(vec![state("SUCCEEDED", "")]);
    let large = Script {
        columns: vec![("note", "varchar")],
        rows: vec![vec![Some("\"".repeat(2_000))]; 900],
        ..script.clone()
    };
    let desk = Desk::new(large).await;
    let refused = desk.ask("acme", "/queries/traffic?from=now%20-%201h").await;
    assert_eq!(refused.json()["type"], "urn:daybook:problem:answer-too-large", "{}", refused.status());
    assert_eq!(desk.log().await[0].status, 400);

    let desk = Desk::new(Script { gone: true, ..script }).await;
    let refused = desk.ask("acme", "/queries/traffic?from=now%20-%201h").await;
    assert_eq!(refused.status(), 500, "a run that was begun just now: {}", refused.0);
    desk.log().await;
}

#[tokio::test]
async fn where_no_function_is_named_nobody_answers_queries() {
    let world = World::new().await;
    let mut function = world.function("ingest", &[]);
    let refused = world.answer(&request("load-balancer", "GET", "/queries", "")).await;
    assert_eq!(refused["statusCode"], 404, "{refused}");
    function.kill().await;
    world.clients.remove_stream(&world.stream).await;
}
