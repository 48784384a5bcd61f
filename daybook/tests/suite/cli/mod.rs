//! The command line, as people and scripts use it.

mod assets;
mod compact;
mod config;
mod entity;
mod expiry;
mod frame;
mod gateway;
mod import;
mod keys;
mod lake;
mod quarantine;
mod query;
mod replay;
mod sql;
mod tools;
mod users;

use crate::support::{Http, Place, Server, text};

/// An installation with a few requests in it and no server.
struct Used {
    place: Place,
    /// A task with three versions.
    task: String,
    /// A task that was removed as its version 2.
    removed: String,
}

impl Used {
    fn new() -> Self {
        let place = Place::new();
        let server = Server::start(&place.data(), &[]);
        let (task, removed) = fill(&mut server.client());
        server.terminate();
        Self { place, task, removed }
    }
}

/// Sends what the tests ask about; gives the ids of the two tasks.
fn fill(client: &mut Http) -> (String, String) {
    let task = text(&client.post("/tasks", r#"{"task":"first"}"#).expect(201).json(), "/id");
    client.put(&format!("/tasks/{task}"), r#"{"task":"second"}"#).expect(200);
    client.put(&format!("/tasks/{task}"), r#"{"status":"completed"}"#).expect(200);
    let removed = text(&client.post("/tasks", r#"{"task":"gone"}"#).expect(201).json(), "/id");
    client.delete(&format!("/tasks/{removed}")).expect(200);
    client.post("/data", r#"{"user_id":"ann","message":"hello"}"#).expect(201);
    client.get("/nothing/here").expect(404);
    (task, removed)
}
