//! `Cache-Control`: nothing is kept, unless the installation lets clients keep what cannot mislead them.

use super::query::Query;
use super::request::{Received, Vouched};
use super::response::Response;

/// Nothing may be kept.
pub const NOTHING: &str = "no-store";
/// May be kept, but asked for anew by its entity tag each time.
pub const ASKED_ANEW: &str = "private, no-cache";
/// May be kept for a day: a seed gives the same values for ever.
pub const FOR_A_DAY: &str = "private, max-age=86400";
/// What an answer depends on besides its address. One client may have the keys of two tenants, and both a user `ann`.
const DEPENDS_ON: &str = "Accept, Authorization, X-Api-Key";

/// The headers of a response to a request, where clients may keep answers.
///
/// Kept is what was read and has an entity tag, and values whose seed the request names; nothing else, and no refusal, and
/// nothing for somebody whom a gateway knows by something that no `Vary` names.
pub fn headers(received: &Received, response: &Response) -> Vec<(&'static str, &'static str)> {
    let reads = matches!(received.method.as_str(), "GET" | "HEAD") && matches!(response.status(), 200 | 304);
    let seeded = || matches!(Query::parse(received.query.as_deref()).get("seed"), Ok(Some(_)));
    let allowed = if !reads || !is_told_apart(received) {
        NOTHING
    } else if response.header("daybook-seed").is_some() && seeded() {
        FOR_A_DAY
    } else if response.header("etag").is_some() {
        ASKED_ANEW
    } else {
        NOTHING
    };
    match allowed {
        NOTHING => vec![("cache-control", NOTHING)],
        allowed => vec![("cache-control", allowed), ("vary", DEPENDS_ON)],
    }
}

/// Whether `Vary` tells this client's credential from another's. A gateway's own authorizer may look at any header.
fn is_told_apart(received: &Received) -> bool {
    match &received.vouched {
        None => true,
        Some(Vouched::Claims(_)) => received.headers.contains_key("authorization"),
        Some(Vouched::Custom(_) | Vouched::Iam(_)) => false,
    }
}
