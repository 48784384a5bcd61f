//! Refusals in the words of the service that they are said to come from, so that an SDK takes them for what they are.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::operation::Service;
use crate::plan::Fault;

/// What the service would answer; none for faults that are not answers.
pub(super) fn refusal(fault: Fault, service: Service, operation: &str, request: &[u8]) -> Option<Response<Bytes>> {
    if service == Service::S3 {
        return s3(fault).map(|(status, code)| xml(status, code, operation));
    }
    if operation == "dynamodb:TransactWriteItems" {
        let code = match fault {
            Fault::Conflict => Some("TransactionConflict"),
            Fault::Throttle => Some("ThrottlingError"),
            _ => None,
        };
        if let Some(code) = code {
            return Some(json_answer(400, &cancelled(code, request)));
        }
    }
    let (status, kind) = json_refusal(fault, service)?;
    Some(json_answer(status, &json!({ "__type": kind, "message": format!("made to fail: {fault:?}") })))
}

fn json_refusal(fault: Fault, service: Service) -> Option<(u16, &'static str)> {
    Some(match (fault, service) {
        (Fault::Throttle, Service::DynamoDb) => {
            (400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException")
        }
        (Fault::Throttle, Service::Streams) => (400, "com.amazonaws.dynamodb.v20120810#LimitExceededException"),
        (Fault::Throttle, Service::Firehose) => (503, "ServiceUnavailableException"),
        (Fault::Throttle, _) => (400, "ThrottlingException"),
        (Fault::Internal, Service::DynamoDb | Service::Streams) => {
            (500, "com.amazonaws.dynamodb.v20120810#InternalServerError")
        }
        (Fault::Internal, Service::Glue) => (500, "InternalServiceException"),
        (Fault::Internal, _) => (500, "InternalServerException"),
        (Fault::Unavailable, _) => (503, "ServiceUnavailableException"),
        (Fault::Conflict, Service::Glue) => (400, "ConcurrentModificationException"),
        (Fault::Conflict, _) => (400, "com.amazonaws.dynamodb.v20120810#TransactionConflictException"),
        _ => return None,
    })
}

/// A transaction cancelled for its first item; the reasons are as many as the items.
fn cancelled(code: &str, request: &[u8]) -> Value {
    let items = serde_json::from_slice::<Value>(request)
        .ok()
        .and_then(|request| request.get("TransactItems")?.as_array().map(Vec::len))
        .unwrap_or(1);
    let reasons: Vec<Value> = (0..items)
        .map(|index| match index {
            0 => json!({ "Code": code, "Message": "made to fail" }),
            _ => json!({ "Code": "None" }),
        })
        .collect();
    let message = "Transaction cancelled, please refer cancellation reasons for specific reasons";
    json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": message,
        "CancellationReasons": reasons,
    })
}

fn s3(fault: Fault) -> Option<(u16, &'static str)> {
    Some(match fault {
        Fault::Throttle => (503, "SlowDown"),
        Fault::Internal => (500, "InternalError"),
        Fault::Unavailable => (503, "ServiceUnavailable"),
        Fault::Conflict => (409, "ConditionalRequestConflict"),
        _ => return None,
    })
}

/// An answer of a service that speaks JSON.
pub(super) fn json_answer(status: u16, body: &Value) -> Response<Bytes> {
    answer(status, "application/x-amz-json-1.0", body.to_string().into())
}

fn xml(status: u16, code: &str, operation: &str) -> Response<Bytes> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>made to fail</Message>\
         <RequestId>FAULT</RequestId></Error>"
    );
    // An answer to HEAD has no body, not even of an error.
    let body = if operation.starts_with("s3:Head") { Bytes::new() } else { text.into() };
    answer(status, "application/xml", body)
}

fn answer(status: u16, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert("content-type", http::HeaderValue::from_static(content_type));
    headers.insert("x-amzn-requestid", http::HeaderValue::from_static("FAULT"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_transaction_has_a_reason_for_every_item() {
        let request = br#"{"TransactItems":[{},{},{}]}"#;
        let operation = "dynamodb:TransactWriteItems";
        let answer = refusal(Fault::Conflict, Service::DynamoDb, operation, request).unwrap();
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        let codes: Vec<_> = body["CancellationReasons"].as_array().unwrap().iter().map(|it| &it["Code"]).collect();
        assert_eq!(codes, ["TransactionConflict", "None", "None"]);
    }

    #[test]
    fn every_refusal_has_words_in_every_service_and_nothing_else_has() {
        for service in [Service::DynamoDb, Service::Streams, Service::Firehose, Service::Glue, Service::S3] {
            for fault in [Fault::Throttle, Fault::Internal, Fault::Unavailable] {
                let answer = refusal(fault, service, "x", b"").unwrap();
                assert!(answer.status().as_u16() >= 400 && !answer.body().is_empty(), "{fault:?} {service:?}");
            }
            assert!(refusal(Fault::DropAfter, service, "x", b"").is_none());
        }
    }
}
