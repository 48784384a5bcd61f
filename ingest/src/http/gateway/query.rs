//! The query string of a gateway's event.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Fault, Kind};
use crate::json::{Json, Members};

/// Escaped when decoded parameters are written again: all but RFC 3986's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The query string: as it was received where the gateway has it, else written from its parameters.
///
/// Parameters come as a table, without their order: they are written sorted by name, values in their own order, so that
/// equal requests have equal query strings. REST has decoded them, a load balancer has not.
pub fn query(kind: Kind, event: &Members<'_>, fault: &mut Fault) -> Option<String> {
    let write: fn(&str) -> String = match kind {
        Kind::HttpApi => return event.get("rawQueryString").text().filter(|query| !query.is_empty()),
        Kind::Rest => |text| utf8_percent_encode(text, ESCAPED).to_string(),
        Kind::LoadBalancer => str::to_owned,
    };
    let mut parameters = pairs(event.get("multiValueQueryStringParameters"), fault);
    if parameters.is_empty() {
        parameters = pairs(event.get("queryStringParameters"), fault);
    }
    parameters.sort_by(|a, b| a.0.cmp(&b.0));
    let query: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", write(name), write(value))).collect();
    Some(query.join("&")).filter(|query| !query.is_empty())
}

/// Names and values of a table whose values are texts or lists of texts; null is an empty text.
fn pairs(json: Json<'_>, fault: &mut Fault) -> Vec<(String, String)> {
    let mut refuse = || fault.add("The gateway's event has parameters that cannot be read.");
    if json.is_nothing() {
        return Vec::new();
    }
    let Some(members) = json.members() else {
        refuse();
        return Vec::new();
    };
    let mut pairs = Vec::new();
    for (name, values) in members.iter() {
        for value in values.items().unwrap_or_else(|| vec![values]) {
            match value.text() {
                Some(text) => pairs.push((name.to_owned(), text)),
                None if value.is_nothing() => pairs.push((name.to_owned(), String::new())),
                None => refuse(),
            }
        }
    }
    pairs
}
