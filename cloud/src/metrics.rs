//! Metrics as CloudWatch reads them from a log line: the embedded metric format.
//!
//! One line for each invocation, with all that was counted in it. Dimensions are `service` and `environment` only:
//! every further one would multiply what CloudWatch bills.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::line::json_line;

/// The namespace of every metric.
pub const NAMESPACE: &str = "Daybook";
/// Values of one metric that the format takes in one line; further ones of an invocation are left out.
pub const MOST_VALUES: usize = 100;

/// What a metric is counted in, by CloudWatch's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// How often; several values of an invocation are added up.
    Count,
    /// A duration.
    Milliseconds,
    /// A duration.
    Seconds,
    /// A size.
    Bytes,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
            Self::Bytes => "Bytes",
        }
    }
}

/// Unit and values by the metric's name.
type Gathered = BTreeMap<&'static str, (Unit, Vec<f64>)>;

/// Gathers an invocation's metrics. Clones gather in the same place.
#[derive(Debug, Clone)]
pub struct Metrics {
    service: String,
    environment: String,
    gathered: Arc<Mutex<Gathered>>,
}

impl Metrics {
    /// Metrics of one part of an installation.
    pub fn new(service: &str, environment: &str) -> Self {
        Self { service: service.to_owned(), environment: environment.to_owned(), gathered: Arc::default() }
    }

    /// Adds to a counter. Zero adds nothing: an invocation in which nothing happened has no line, which would be paid for.
    #[expect(
        clippy::cast_precision_loss,
        reason = "CloudWatch keeps doubles; counts of one invocation are far below 2^53"
    )]
    pub fn count(&self, name: &'static str, times: u64) {
        if times > 0 {
            self.record(name, Unit::Count, times as f64);
        }
    }

    /// Records a value. One that is not a number, or infinite, has no place in the format and is left out.
    pub fn record(&self, name: &'static str, unit: Unit, value: f64) {
        if !value.is_finite() {
            return;
        }
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, values) = gathered.entry(name).or_insert_with(|| (unit, Vec::new()));
        match &mut values[..] {
            [sum] if unit == Unit::Count => *sum += value,
            kept if kept.len() < MOST_VALUES => values.push(value),
            _ => {}
        }
    }

    /// Takes what was gathered since the last time, as one line; `None` if there was nothing.
    ///
    /// `properties` stand beside the metrics for whoever searches the log; they are no dimensions.
    pub fn take_line(&self, at_millis: u64, properties: &[(&str, Value)]) -> Option<String> {
        let gathered = std::mem::take(&mut *self.gathered.lock().unwrap_or_else(PoisonError::into_inner));
        if gathered.is_empty() {
            return None;
        }
        let metrics: Vec<Value> =
            gathered.iter().map(|(name, (unit, _))| json!({"Name": name, "Unit": unit.name()})).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": at_millis,
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [["service", "environment"]],
                    "Metrics": metrics,
                }],
            }),
        );
        line.insert("service".to_owned(), self.service.as_str().into());
        line.insert("environment".to_owned(), self.environment.as_str().into());
        line.extend(properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        for (name, (_, values)) in gathered {
            let value = if let [one] = values[..] { one.into() } else { values.into() };
            line.insert(name.to_owned(), value);
        }
        Some(json_line(Value::Object(line).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What CloudWatch asks of an embedded metric line, from the format's specification.
    #[track_caller]
    fn check_format(line: &str) -> Value {
        assert!(!line.contains('\n') && line.len() < 256 << 10, "one line: {line}");
        let root: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty() && text.len() <= 1_024);
        assert!(root["_aws"]["Timestamp"].as_u64().is_some_and(|at| at > 1_000_000_000_000), "milliseconds: {line}");
        for directive in root["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            assert_eq!(directive["Namespace"], "Daybook");
            for dimensions in directive["Dimensions"].as_array().unwrap() {
                for name in dimensions.as_array().unwrap() {
                    assert!(text(&root[name.as_str().unwrap()]), "the dimension {name} has a value: {line}");
                }
            }
            let metrics = directive["Metrics"].as_array().unwrap();
            assert!((1..=100).contains(&metrics.len()));
            for metric in metrics {
                assert!(text(&metric["Name"]) && text(&metric["Unit"]), "{line}");
                let value = &root[metric["Name"].as_str().unwrap()];
                let many = value
                    .as_array()
                    .is_some_and(|many| (1..=MOST_VALUES).contains(&many.len()) && many.iter().all(Value::is_number));
                assert!(value.is_number() || many, "{} has values: {line}", metric["Name"]);
            }
        }
        root
    }

    #[test]
    fn an_invocation_is_one_line_of_the_embedded_metric_format() {
        let metrics = Metrics::new("ingest", "production\u{2028}");
        metrics.count("Requests", 1);
        metrics.clone().count("Requests", 2);
        metrics.record("LogDuration", Unit::Milliseconds, 1.5);
        metrics.record("LogDuration", Unit::Milliseconds, 2.0);
        metrics.record("Lag", Unit::Seconds, f64::NAN);
        let line = metrics.take_line(1_763_631_026_123, &[("cold_start", true.into())]).unwrap();
        let root = check_format(&line);
        assert_eq!((&root["Requests"], &root["LogDuration"]), (&json!(3.0), &json!([1.5, 2.0])));
        assert_eq!(
            (&root["service"], &root["cold_start"], &root["Lag"]),
            (&"ingest".into(), &true.into(), &Value::Null)
        );
        assert_eq!(root["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["service", "environment"]]));
        assert_eq!(metrics.take_line(0, &[]), None, "taken is taken");
    }

    #[test]
    fn takes_no_more_values_than_the_format() {
        let metrics = Metrics::new("relay", "e");
        for _ in 0..1_000 {
            metrics.record("Age", Unit::Seconds, 1.0);
            metrics.count("Lines", 1);
        }
        let root = check_format(&metrics.take_line(1_763_631_026_123, &[]).unwrap());
        assert_eq!((root["Age"].as_array().map(Vec::len), &root["Lines"]), (Some(MOST_VALUES), &json!(1_000.0)));
    }
}
