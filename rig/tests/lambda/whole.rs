//! The four functions, one after the other, on what the one before has left; then the command line on all of it.

use rig::runtime_api::{RuntimeApi, binary};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::athena::{self, Script};
use crate::world::{World, request};

/// Runs `daybook` on the deployment; gives what it printed.
async fn daybook(world: &World, database: &str, arguments: &[&str]) -> String {
    let mut program = Command::new(binary("daybook"));
    let names = ["--aws", "--bucket", &world.bucket, "--table", &world.table, "--database", database];
    let output = program.args(names).args(["--engine", "local"]).args(arguments).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn from_a_gateway_s_event_to_rows_of_the_table() {
    let mut world = World::new().await;
    let database = world.bucket.replace('-', "_");
    let ingest = world.function("ingest", &[]);
    let created = world.answer(&request("rest", "POST", "/tasks", r#"{"task":"a"}"#)).await;
    let body: Value = serde_json::from_str(created["body"].as_str().unwrap()).unwrap();
    let id = body["id"].as_str().unwrap();
    let updated = world.answer(&request("http-api", "PUT", &format!("/tasks/{id}"), r#"{"status":"completed"}"#)).await;
    assert_eq!((&created["statusCode"], &updated["statusCode"]), (&json!(201), &json!(200)), "{created} {updated}");
    assert_eq!(world.answer(&request("rest", "GET", "/nothing", "")).await["statusCode"], 404);
    drop(ingest);

    world.api = RuntimeApi::start().await;
    let relay = world.function("relay", &[]);
    let batch = world.stream_batch().await;
    assert_eq!(world.answer(&batch).await, json!({"batchItemFailures": []}));
    drop(relay);

    world.api = RuntimeApi::start().await;
    let compactor = world.function("compactor", &[("DAYBOOK_DATABASE", &database)]);
    let scheduled = json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": {}});
    assert_eq!(world.answer(&scheduled).await["commits"], 0, "three lines can wait");
    let compacted = world.answer(&json!({"action": "compact", "force": true})).await;
    assert_eq!((&compacted["commits"], &compacted["rows"]), (&json!(1), &json!(3)), "{compacted}");
    drop(compactor);

    let rows = daybook(&world, &database, &["query", "traffic", "--format", "json"]).await;
    let rows: Value = serde_json::from_str(&rows).unwrap();
    let sum = |name: &str| rows["rows"].as_array().unwrap().iter().map(|row| row[name].as_i64().unwrap()).sum::<i64>();
    assert_eq!((sum("requests"), sum("refused")), (3, 1), "{rows}");
    let history = daybook(&world, &database, &["history", "task", id, "--format", "ndjson"]).await;
    assert_eq!(history.lines().count(), 2, "{history}");
    assert!(daybook(&world, &database, &["show", "task", id]).await.contains("completed"));
    assert!(daybook(&world, &database, &["compact"]).await.contains("Nothing is pending"));
    let lake: Value = serde_json::from_str(&daybook(&world, &database, &["lake", "--json"]).await).unwrap();
    assert_eq!((&lake["rows"], &lake["pending"]["objects"]), (&json!(3), &json!(0)), "{lake}");
    assert!(daybook(&world, &database, &["quarantine", "list"]).await.contains("No such line"));
    assert!(daybook(&world, &database, &["quarantine", "retry"]).await.contains("No such line"));
    assert!(daybook(&world, &database, &["verify"]).await.contains("Everything holds."));
    assert!(daybook(&world, &database, &["verify", "--repair"]).await.contains("0 were missing"));
    if let Some(said) = rig::foreign::read(&world.bucket, &database).await {
        assert!(said.contains("snapshots 1  rows 3  distinct events 3"), "{said}");
    }
    world.clients.remove_stream(&world.stream).await;
}

#[tokio::test]
async fn a_question_is_answered_by_athena_and_a_bad_one_with_its_reason() {
    let script = Script {
        states: vec![json!({"State": "SUCCEEDED"})],
        columns: vec![("requests", "bigint")],
        rows: vec![vec![Some("7".to_owned())]],
        scanned: 1,
        ..Script::default()
    };
    let (address, asked) = athena::start(script).await;
    let api = RuntimeApi::start().await;
    let address = format!("http://{address}");
    let settings =
        [("DAYBOOK_WORKGROUP", "daybook"), ("DAYBOOK_DATABASE", "lake"), ("AWS_ENDPOINT_URL_ATHENA", &address)];
    let _function = api.function("query", &settings);
    let answer = api.invoke(r#"{"query":"traffic","parameters":{"from":"now - 1h"},"tenant":"acme"}"#).await.success();
    assert_eq!((&answer["rows"][0]["requests"], &answer["bytes_read"]), (&json!(7), &json!(1)), "{answer}");
    let csv = api.invoke(r#"{"query":"traffic","format":"csv"}"#).await.success();
    assert_eq!(csv["body"], "requests\r\n7\r\n");
    let asked_before = asked.lock().unwrap().len();
    let listing = api.invoke("{}").await.success();
    assert_eq!(listing["count"], listing["items"].as_array().unwrap().len());
    for (question, kind) in [
        (r#"{"query":"nosuch"}"#, "unknown_query"),
        (r#"{"query":"traffic","parameters":{"from":"soon"}}"#, "bad_parameter"),
        (r#"{"query":7}"#, "bad_parameter"),
        (r#""traffic""#, "bad_parameter"),
    ] {
        let refused = api.invoke(question).await.success();
        assert_eq!(refused["error"]["kind"], kind, "{question}: {refused}");
    }
    assert_eq!(asked.lock().unwrap().len(), asked_before, "nothing was asked of Athena for those");
}
