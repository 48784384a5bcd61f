//! What is missing or wrong ends a function before its first invocation, with one line that names it.

use rig::runtime_api::RuntimeApi;

/// Starts a function with these variables and no others of ours; gives its one line.
async fn refused(name: &str, env: &[(&str, &str)]) -> String {
    let api = RuntimeApi::start().await;
    let (status, said) = api.function(name, env).end().await;
    assert!(!status.success(), "{name} with {env:?} ended well");
    assert_eq!(said.lines().count(), 1, "{said}");
    said.trim_end().to_owned()
}

#[tokio::test]
async fn a_missing_setting_is_named() {
    let key = "0f".repeat(32);
    let mut env = vec![("AWS_REGION", "us-east-1")];
    let expect = |line: String, name: &str| {
        assert!(line.starts_with(&format!("ingest: {name} is not set; set it to ")), "{line}");
    };
    for (name, value) in [
        ("DAYBOOK_BUCKET", "bucket"),
        ("DAYBOOK_FIREHOSE", "stream"),
        ("DAYBOOK_TABLE", "table"),
        ("DAYBOOK_INSTALLATION_KEY", key.as_str()),
    ] {
        expect(refused("ingest", &env).await, name);
        env.push((name, value));
    }
    expect(refused("ingest", &[("AWS_REGION", "")]).await, "AWS_REGION");
    assert!(refused("relay", &[]).await.starts_with("relay: DAYBOOK_BUCKET is not set; set it to "));
    expect(refused("ingest", &[("AWS_LAMBDA_RUNTIME_API", "")]).await, "AWS_LAMBDA_RUNTIME_API");
}

#[tokio::test]
async fn a_wrong_setting_is_named_and_no_secret_is_shown() {
    let key = "0f".repeat(32);
    let complete = [
        ("DAYBOOK_TABLE", "table"),
        ("DAYBOOK_BUCKET", "bucket"),
        ("DAYBOOK_FIREHOSE", "stream"),
        ("DAYBOOK_INSTALLATION_KEY", key.as_str()),
    ];
    for (name, value) in [
        ("DAYBOOK_INSTALLATION_KEY", "s3cret"),
        ("DAYBOOK_API_KEYS", "web:acme:s3cret"),
        ("DAYBOOK_BASE_PATH", "v1"),
        ("DAYBOOK_CORS_ORIGINS", "*"),
        ("DAYBOOK_EVENT_RETENTION_DAYS", "-1"),
        ("DAYBOOK_LOG", "ingest=loud"),
    ] {
        let line = refused("ingest", &[&complete[..], &[(name, value)]].concat()).await;
        assert!(line.starts_with(&format!("ingest: {name}: ")) && !line.contains("s3cret"), "{line}");
    }
}
