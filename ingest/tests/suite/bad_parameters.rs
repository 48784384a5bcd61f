//! Everything that the document says of a parameter or header, said wrong; see `bad_input`.

use ingest::Settings;
use serde_json::Value;

use crate::bad_input::{made, names};
use crate::contract::{operations, resolved};
use crate::rig::{Req, Rig, with_api};
use crate::schema;

/// One parameter of an operation, and a request that is right without it.
struct Asked<'a> {
    path: String,
    others: String,
    name: &'a str,
    required: bool,
    schema: &'a Value,
}

impl Asked<'_> {
    /// A text as the API is meant to read it.
    fn value(&self, text: &str) -> Value {
        match self.schema["type"].as_str().unwrap() {
            "integer" => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
            "array" => text.split(',').collect(),
            _ => text.into(),
        }
    }

    async fn judged(&self, rig: &Rig, text: &str) {
        // No token but the server's own is good.
        let wrong = self.name == "next" || !schema::errors(self.schema, &self.value(text)).is_empty();
        let query: String = form_urlencoded::Serializer::new(String::new()).append_pair(self.name, text).finish();
        self.sent(rig, &query, wrong.then_some("invalid_value")).await;
    }

    async fn sent(&self, rig: &Rig, query: &str, code: Option<&str>) {
        let target = format!("{}?{}{query}", self.path, self.others);
        let response = rig.send(Req::get(&target)).await;
        let shown = format!("{target:.300}: {}", String::from_utf8_lossy(response.body()));
        match code {
            None => assert!(matches!(response.status(), 200 | 404), "{shown}"),
            Some("invalid_value") => assert!(names(&response, self.name, None), "{shown}"),
            Some(code) => assert!(names(&response, self.name, Some(code)), "{code}: {shown}"),
        }
        let pairs = |query: &str| {
            let mut pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            pairs.sort();
            pairs
        };
        let event = rig.last_event().await;
        assert_eq!(pairs(&event.query_string.unwrap_or_default()), pairs(&format!("{}{query}", self.others)));
    }
}

/// What a parameter needs beside it.
fn beside(path: &str, name: &str) -> &'static str {
    match (path, name) {
        ("/random", "min") => "max=9007199254740991&",
        ("/random", "max") => "min=-9007199254740991&",
        ("/random", "type") => "",
        ("/data", "user_id") => "",
        ("/data", _) => "user_id=u&",
        _ => "",
    }
}

#[test]
fn every_parameter() {
    let mut tried = 0;
    for (template, operation) in reads() {
        let parameters = operation["parameters"].as_array().into_iter().flatten().map(resolved);
        let queries: Vec<&Value> = parameters.filter(|parameter| parameter["in"] == "query").collect();
        tried += queries.len();
        for parameter in queries {
            with_api(&Settings::default(), async |rig| {
                let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
                let (path, others) = (made(rig, template).await, beside(template, name).to_owned());
                wrong(rig, &Asked { path, others, name, required: parameter["required"] == true, schema }).await;
            });
        }
    }
    assert!(tried >= 24, "{tried}");
}

/// Routes that read, but for queries: the engine that answers them is not here, `make test-openapi` has it.
fn reads() -> impl Iterator<Item = (&'static str, &'static Value)> {
    let reads = |(method, path, _): &(String, &str, &Value)| method == "GET" && !path.starts_with("/queries");
    operations().into_iter().filter(reads).map(|(_, path, operation)| (path, operation))
}

async fn wrong(rig: &Rig, asked: &Asked<'_>) {
    asked.sent(rig, "", asked.required.then_some("missing")).await;
    let name = asked.name;
    asked.sent(rig, &format!("{name}=1&{name}=1"), Some("duplicate")).await;
    asked.sent(rig, &format!("{name}=1&x=2&{name}="), Some("duplicate")).await;
    for text in [
        "",
        " ",
        "x",
        "1.5",
        "1e2",
        "true",
        "0x1",
        "null",
        "[]",
        "a,b",
        "a,,b",
        "ODD",
        "\0",
        "é",
        "\u{fffd}",
        "\u{85}",
        "0",
        "-1",
        "2026-02-30T00:00:00Z",
    ] {
        // Days that no calendar has are beyond a pattern.
        if !(name == "as_of" && text.starts_with("2026")) {
            asked.judged(rig, text).await;
        }
    }
    asked.judged(rig, "9".repeat(40).as_str()).await;
    for bound in ["minimum", "maximum"].iter().filter_map(|bound| asked.schema[bound].as_i64()) {
        for value in [bound.saturating_sub(1), bound, bound.saturating_add(1)] {
            asked.judged(rig, &value.to_string()).await;
        }
    }
    for most in
        [&asked.schema["maxLength"], &asked.schema["items"]["maxLength"]].iter().filter_map(|most| most.as_u64())
    {
        for length in [most as usize, most as usize + 1] {
            asked.judged(rig, &"a".repeat(length)).await;
        }
    }
    if let Some(most) = asked.schema["maxItems"].as_u64() {
        for entries in [most as usize, most as usize + 1] {
            asked.judged(rig, &vec!["a"; entries].join(",")).await;
        }
    }
    for word in
        asked.schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).filter(|word| *word != "choice")
    {
        asked.judged(rig, word).await;
        asked.judged(rig, &word.to_uppercase()).await;
    }
}

#[test]
fn parameters_that_nobody_knows() {
    with_api(&Settings::default(), async |rig| {
        for (template, _) in reads() {
            let path = made(rig, template).await;
            let query = format!("{}odd=1&odd=2&=&%00=%ff", beside(template, ""));
            let response = rig.send(Req::get(&format!("{path}?{query}"))).await;
            match template {
                "/random" => assert!(response.status() == 400 && names(&response, "odd", Some("unknown"))),
                // Its content is still to come.
                "/assets/{id}/download" => assert_eq!(response.status(), 409),
                _ => assert_eq!(response.status(), 200, "{path}"),
            }
        }
    });
}

#[test]
fn every_header() {
    let values = [
        "",
        "1",
        "\"1\"",
        "*",
        "W/\"1\"",
        "\"1",
        "a b",
        "\"a b\"",
        "\"1\", \"2\"",
        ", \"9\"",
        "\"1\" \"2\"",
        "\"\\\"\"",
        "a\\b",
        "é",
    ];
    with_api(&Settings::default(), async |rig| {
        let mut tried = 0;
        for (method, template, operation) in operations() {
            let parameters = operation["parameters"].as_array().into_iter().flatten().map(resolved);
            let headers: Vec<&Value> = parameters.filter(|parameter| parameter["in"] == "header").collect();
            if headers.is_empty() {
                continue;
            }
            let path = made(rig, template).await;
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            let body = if example.is_null() { String::new() } else { example.to_string() };
            for header in headers {
                let name = header["name"].as_str().unwrap().to_ascii_lowercase();
                for value in values {
                    let response = rig.send(Req::new(&method, &path).body(&body).h(&name, value)).await;
                    let wrong = !schema::errors(&header["schema"], &value.into()).is_empty();
                    let named = response.status() == 400 && names(&response, &name, Some("malformed"));
                    assert_eq!(wrong, named, "{method} {template} {name}: {value:?} {response:?}");
                }
                tried += 1;
            }
        }
        assert!(tried >= 13, "{tried}");
    });
}
