//! The Lambda function: events in, summaries and metrics out.

use cloud::{Deadline, Env, Function, Ground, Invocation, Metrics};
use compactor::aws::{CompactorFunction, System};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::{DAY, at, events, key, random};
use crate::world::World;

fn ground(world: &World) -> Ground {
    static LOG: std::sync::OnceLock<cloud::log::Log> = std::sync::OnceLock::new();
    let log = LOG.get_or_init(|| cloud::log::Log::start("compactor", &Env::default()).unwrap());
    let variables = [
        ("DAYBOOK_BUCKET", world.bucket.as_str()),
        ("DAYBOOK_DATABASE", &world.database),
        ("DAYBOOK_INSTALLATION_KEY", "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"),
    ];
    Ground {
        env: Env::of(variables),
        environment: "test".to_owned(),
        deadline: Deadline::default(),
        metrics: Metrics::new("compactor", "test"),
        log: log.clone(),
    }
}

async fn invoke(function: &CompactorFunction, event: &str) -> Result<Value, cloud::Failure> {
    let invocation = Invocation { request_id: "r".to_owned(), trace_id: None, cold_start: false };
    let answer = function.handle(RawValue::from_string(event.to_owned()).unwrap(), &invocation).await?;
    Ok(serde_json::from_str(answer.get()).unwrap())
}

#[tokio::test]
async fn a_schedule_waits_until_it_is_worth_it_and_an_operator_does_not() {
    let world = World::new().await;
    let ground = ground(&world);
    // Objects were put there now, by the stand-in's clock: this one stands a year before, so that nothing waits long.
    let system = System { now: || at(DAY - 365 * 24 * 3_600_000_000), random };
    let function = CompactorFunction::build(&ground, system).await.unwrap();
    let input = events(1, DAY, 1, 100);
    world.put_events(&key(0, "a"), &[&input[..], &input[..7]].concat()).await;
    let idle = invoke(&function, r#"{"version":"0","detail-type":"Scheduled Event"}"#).await.unwrap();
    assert_eq!((&idle["commits"], &idle["left"]["objects"]), (&0.into(), &1.into()));
    let done = invoke(&function, r#"{"action":"compact","force":true}"#).await.unwrap();
    assert_eq!((&done["commits"], &done["rows"], &done["duplicates"]), (&1.into(), &100.into(), &7.into()), "{done}");
    assert_eq!((&done["left"]["objects"], &done["left"]["oldest"]), (&0.into(), &Value::Null));
    let line = ground.metrics.take_line(1_763_631_026_123, &[]).unwrap();
    let metrics: Value = serde_json::from_str(&line).unwrap();
    for (name, value) in [("Commits", 1.0), ("RowsWritten", 100.0), ("DuplicatesDropped", 7.0)] {
        assert_eq!(metrics[name], value, "{name}");
    }
    assert_eq!(metrics.get("LinesQuarantined"), None, "what has not happened is not written");
    assert!(metrics["CompactionLag"].is_array(), "one value of each run");
    assert!(invoke(&function, r#"{"action":"drop"}"#).await.unwrap_err().to_string().contains("only action"));
    world.check(&input).await;
}

#[tokio::test]
async fn when_the_time_is_over_nothing_is_begun_and_what_was_begun_is_dropped() {
    let world = World::new().await;
    let ground = ground(&world);
    let function = CompactorFunction::build(&ground, System { now: || at(DAY), random }).await.unwrap();
    let input = events(2, DAY, 1, 100);
    world.put_events(&key(0, "a"), &input).await;
    let force = r#"{"action":"compact","force":true}"#;
    let mut tries = 0;
    for millis in [0, 20, 40, 80, 120, 200, 10_000] {
        let begun = tokio::time::Instant::now();
        ground.deadline.set(Some((begun + std::time::Duration::from_millis(millis)).into_std()));
        match invoke(&function, force).await {
            // With a commit, or without one if the time was over just when the one before had made it.
            Ok(summary) if summary["left"]["objects"] == 0 => break,
            Ok(summary) => assert_eq!((&summary["commits"], &summary["left"]["objects"]), (&0.into(), &1.into())),
            Err(error) => assert!(error.to_string().contains("one commit takes longer"), "{error}"),
        }
        tries += 1;
    }
    assert!(tries > 0, "no time is not enough");
    world.check(&input).await;
}

#[tokio::test]
async fn a_request_that_only_the_gateway_has_seen_becomes_a_row() {
    let world = World::new().await;
    let ground = ground(&world);
    // Long after the stand-in's clock: every line is old enough to be settled.
    let system = System { now: || at(4_000_000_000_000_000), random };
    let function = CompactorFunction::build(&ground, system).await.unwrap();
    let input = events(3, DAY, 1, 10);
    world.put_events(&key(0, "a"), &input).await;
    let line = |id: &str, status: u16, invocation: &str| {
        let time = DAY / 1_000;
        format!(
            "{{\"requestId\":\"{id}\",\"requestTimeEpoch\":\"{time}\",\"status\":\"{status}\",\
             \"integrationRequestId\":\"{invocation}\"}}\n"
        )
    };
    let lines = [line("refused", 429, "-"), line("crashed", 502, "6d9c"), line(&input[0].request_id, 201, "6d9d")];
    world.put("gateway/dt=2026-11-20/hour=00/a.gz", lines.concat()).await;
    let done = invoke(&function, r#"{"action":"compact","force":true}"#).await.unwrap();
    let gateway = &done["gateway"];
    assert_eq!((&done["rows"], &done["commits"]), (&10.into(), &1.into()), "{done}");
    assert_eq!(
        (&gateway["lines"], &gateway["rows"], &gateway["answered"]),
        (&3.into(), &2.into(), &1.into()),
        "{done}"
    );
    assert_eq!(world.rows().await.len(), 12);
    let metrics: Value = serde_json::from_str(&ground.metrics.take_line(1_763_631_026_123, &[]).unwrap()).unwrap();
    assert_eq!((&metrics["GatewayRowsWritten"], &metrics["RowsWritten"]), (&2.0.into(), &10.0.into()));
    let again = invoke(&function, r#"{"action":"compact","force":true}"#).await.unwrap();
    assert_eq!(again["commits"], 0, "{again}");
}
