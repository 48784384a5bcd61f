//! Events of AWS's HTTP gateways: from any JSON text to a request, from a response to the gateway's answer.
//!
//! REST APIs and HTTP APIs with the payload of version 1.0, HTTP APIs with version 2.0, function URLs, and load balancers with
//! and without multi-value headers. The conversion is total: whatever the event holds, it is a request, and what could
//! not be read of it becomes the API's recorded 400 (I6, I9).

mod body;
mod headers;
mod mount;
mod query;
mod reply;
mod vouched;

use std::net::{IpAddr, SocketAddr};

use crate::json::{Json, Members};

use super::request::{Arrival, Received, ReceivedBody};
use body::body;
use mount::Mounted;
pub use reply::{Kind, Reply, Shape};

/// Longest id, address or protocol of a gateway that is kept, bytes.
const LONGEST_WORD: usize = event::gateway::LONGEST_ID;

/// What the function knows of a request besides its event.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// When it came.
    pub arrival: Arrival,
    /// Lambda's id of the invocation.
    pub invocation_id: String,
    /// Lambda's `X-Amzn-Trace-Id`; it takes the place of the client's.
    pub trace_id: Option<String>,
    /// Whether it is the process's first.
    pub cold_start: bool,
}

/// The first thing about an event that cannot be read.
#[derive(Debug, Default)]
struct Fault(Option<&'static str>);

impl Fault {
    fn add(&mut self, reason: &'static str) {
        self.0.get_or_insert(reason);
    }
}

/// Reads an event as a request, and tells how to answer it.
///
/// `base_path` is what comes before every route, as in the settings: a stage or a custom domain's mapping is taken off
/// the path unless it is that.
pub fn receive(event: &str, base_path: &str, invoked: Invoked) -> (Received, Shape) {
    let mut fault = Fault::default();
    let root = Json::new(event).members().unwrap_or_default();
    let context = root.within("requestContext");
    let kind = Kind::of(&root, &context);
    let (method, path) = match kind {
        Kind::HttpApi => (context.within("http").get("method").text(), root.get("rawPath").text()),
        Kind::Rest | Kind::LoadBalancer => (root.get("httpMethod").text(), root.get("path").text()),
    };
    match (&method, &path) {
        (None, None) => fault.add("The event is no HTTP request of a gateway."),
        (None, Some(_)) => fault.add("The gateway's event has no method."),
        (Some(_), None) => fault.add("The gateway's event has no path."),
        (Some(_), Some(_)) => {}
    }
    let Mounted { mount, path } = match kind {
        Kind::Rest => mount::rest(&path.unwrap_or_default(), &root, &context, base_path),
        Kind::HttpApi => mount::http_api(&path.unwrap_or_default(), &context, base_path),
        Kind::LoadBalancer => Mounted { mount: String::new(), path: path.unwrap_or_default() },
    };
    let query = query::query(kind, &root, &mut fault);
    let headers = headers::headers(&root, &context, invoked.trace_id.as_deref(), &mut fault);
    let read = body(&root, &mut fault);
    let body = match fault.0 {
        Some(reason) => ReceivedBody::Broken { size: read.size(), reason },
        None => read,
    };
    let method = method.unwrap_or_default();
    let shape = Shape::new(kind, !root.get("multiValueHeaders").is_nothing(), &method);
    let received = Received {
        arrival: invoked.arrival,
        client_ip: client_ip(kind, &context, &headers),
        protocol: word(match kind {
            Kind::HttpApi => context.within("http").get("protocol"),
            Kind::Rest | Kind::LoadBalancer => context.get("protocol"),
        }),
        request_id: word(context.get("requestId")),
        method,
        mount,
        path,
        query,
        headers,
        body,
        invocation_id: Some(invoked.invocation_id),
        cold_start: Some(invoked.cold_start),
        vouched: vouched::vouched(kind, &context),
    };
    (received, shape)
}

/// The client's address as the gateway saw it. A load balancer appends it to what clients may send in the header
/// themselves, so only the last one counts; nobody else's header is believed.
fn client_ip(kind: Kind, context: &Members<'_>, headers: &http::HeaderMap) -> Option<String> {
    match kind {
        Kind::Rest => word(context.within("identity").get("sourceIp")),
        Kind::HttpApi => word(context.within("http").get("sourceIp")),
        Kind::LoadBalancer => {
            let hops = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            let last = hops.rsplit(',').next()?.trim();
            let ip = last.parse::<IpAddr>().or_else(|_| last.parse::<SocketAddr>().map(|address| address.ip()));
            ip.ok().map(|ip| ip.to_string())
        }
    }
}

/// A short text of the gateway's own; an empty one is none.
fn word(json: Json<'_>) -> Option<String> {
    let mut word = json.text().filter(|word| !word.is_empty())?;
    word.truncate(word.floor_char_boundary(LONGEST_WORD));
    Some(word)
}
