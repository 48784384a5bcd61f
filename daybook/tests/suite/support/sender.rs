//! Events of another sender than the server.

use event::{Event, EventIds, Timestamp};

/// A read of `/tasks` as `ids` makes it with `noise`; to be changed as needed, and sealed.
pub fn a_read(ids: &mut EventIds, received_at: Timestamp, noise: [u8; 16]) -> Event {
    let text = |text: &str| text.to_owned();
    Event {
        event_id: ids.next(received_at, noise),
        event_type: text("request.read"),
        schema_version: 1,
        received_at,
        tenant: text("default"),
        request_id: text("r"),
        actor_type: text("anonymous"),
        method: text("GET"),
        path: text("/tasks"),
        request_body_encoding: text("none"),
        status: 200,
        service: text("daybook"),
        service_version: text("0.1.0"),
        environment: text("test"),
        ingest_path: text("local"),
        ..Event::default()
    }
}
