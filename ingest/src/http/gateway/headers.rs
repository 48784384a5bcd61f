//! The headers of a gateway's event.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Fault;
use crate::json::{Json, Members};

/// Reads the headers. Where a name stands in `multiValueHeaders`, its values there count, not the one in `headers`,
/// which is the last of them.
///
/// Cookies of the payload 2.0 stand apart; Lambda's trace takes the place of the client's, and the gateway's own name
/// that of a missing host.
pub fn headers(event: &Members<'_>, context: &Members<'_>, trace_id: Option<&str>, fault: &mut Fault) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let multiple = table(event.get("multiValueHeaders"), fault);
    for (name, values) in multiple.iter() {
        match values.items() {
            Some(values) => values.into_iter().for_each(|value| add(&mut headers, name, value, fault)),
            None => add(&mut headers, name, values, fault),
        }
    }
    let known = headers.clone();
    for (name, value) in table(event.get("headers"), fault).iter().filter(|(name, _)| !known.contains_key(*name)) {
        add(&mut headers, name, value, fault);
    }
    if !headers.contains_key("cookie") {
        let cookies: Vec<String> =
            event.get("cookies").items().unwrap_or_default().into_iter().filter_map(Json::text).collect();
        set(&mut headers, "cookie", Some(cookies.join("; ")).filter(|cookies| !cookies.is_empty()));
    }
    if !headers.contains_key("host") {
        set(&mut headers, "host", context.get("domainName").text());
    }
    set(&mut headers, "x-amzn-trace-id", trace_id.map(str::to_owned));
    headers
}

fn table<'a>(json: Json<'a>, fault: &mut Fault) -> Members<'a> {
    if json.is_nothing() {
        return Members::default();
    }
    json.members().unwrap_or_else(|| {
        fault.add("The gateway's event has headers that are no table.");
        Members::default()
    })
}

/// Adds one value; null is none.
fn add(headers: &mut HeaderMap, name: &str, value: Json<'_>, fault: &mut Fault) {
    if value.is_nothing() {
        return;
    }
    let name = HeaderName::from_bytes(name.as_bytes());
    let value = value.bytes().and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
    let (Ok(name), Some(value)) = (name, value) else {
        return fault.add("The gateway's event has a header that HTTP does not allow.");
    };
    if headers.try_append(name, value).is_err() {
        fault.add("The gateway's event has more headers than can be counted.");
    }
}

/// Sets a header of the gateway's own; one that HTTP does not allow is left out.
fn set(headers: &mut HeaderMap, name: &'static str, value: Option<String>) {
    if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
        // A full table has been found fault with.
        let _ = headers.try_insert(name, value);
    }
}
