//! A day's requests to an API: submissions, tasks, reads, refusals, in the event format.

mod client;
mod envelope;
pub mod random;
mod refusals;
mod tasks;
mod text;

use event::domain::task::Command;
use event::{Event, EventIds, Timestamp, key};

use client::{Client, Clients};
use envelope::{Request, received};
use random::Random;
use tasks::Tasks;
use text::Author;

/// Makes one event after the other. The same seed and times make the same events.
#[derive(Debug)]
pub struct Traffic {
    random: Random,
    ids: EventIds,
    clients: Clients,
    author: Author,
    tasks: Tasks,
}

impl Traffic {
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            ids: EventIds::default(),
            clients: Clients::new(),
            author: Author::new(),
            tasks: Tasks::default(),
        }
    }

    /// The event of a request that came at `at`, with all that ingest would set.
    pub fn next(&mut self, at: Timestamp) -> Event {
        let client = self.clients.draw(&mut self.random);
        match self.random.below(1_000) {
            0..360 => self.submission(&client, at),
            360..440 => self.creation(&client, at),
            440..560 => self.update(&client, at),
            560..570 => self.deletion(&client, at),
            570..700 => self.read_task(&client, at),
            700..840 => self.list(&client, at),
            840..930 => self.read_submission(&client, at),
            930..990 => self.refusal(&client, at),
            _ => self.replay(&client, at),
        }
    }

    fn event(&mut self, client: &Client, at: Timestamp, request: Request) -> Event {
        received(&mut self.random, &mut self.ids, client, at, request)
    }

    fn submission(&mut self, client: &Client, at: Timestamp) -> Event {
        let body = self.author.submission(&mut self.random, &client.user);
        let mut request = Request::send("POST", "/data", "/data", body);
        request.idempotency_key = self.random.once_in(3).then(|| self.random.uuid());
        let mut event = self.event(client, at, request);
        if self.random.once_in(5_000) {
            // Too large to be in the line: an object of its own.
            event.request_body = None;
            event.request_bytes = 65_537 + self.random.below(400_000) as i64;
            event.request_body_encoding = "ref".to_owned();
            event.request_body_ref = Some(key::body(at, event.event_id));
        }
        "data.submitted".clone_into(&mut event.event_type);
        "stream".clone_into(&mut event.ingest_path);
        event.entity_type = Some("data".to_owned());
        event.entity_id = Some(event.event_id.to_string());
        event.entity_version = Some(1);
        event.operation = Some("create".to_owned());
        answered(event, 201, 110)
    }

    fn creation(&mut self, client: &Client, at: Timestamp) -> Event {
        let (command, body) = tasks::creation(&mut self.random, &self.author);
        let id = tasks::id(&mut self.random, at);
        let mut request = Request::send("POST", "/tasks", "/tasks", body);
        request.idempotency_key = self.random.once_in(2).then(|| self.random.uuid());
        let mut event = self.event(client, at, request);
        event.status = 201;
        event.response_bytes = Some(event.request_bytes + 160);
        self.tasks.change(&mut self.random, None, &id, command, event)
    }

    fn update(&mut self, client: &Client, at: Timestamp) -> Event {
        let Some(place) = self.tasks.any(&mut self.random) else { return self.creation(client, at) };
        let (command, body) = tasks::update(&mut self.random, &self.author);
        let task = &self.tasks.get(place).task;
        let (id, version, length) = (task.id.clone(), task.version, task.task.len());
        let mut request = Request::send("PUT", "/tasks/{id}", format!("/tasks/{id}"), body);
        request.expects = self.random.once_in(2).then_some(version);
        let mut event = self.event(client, at, request);
        event.status = 200;
        event.response_bytes = Some(190 + length as i64);
        self.tasks.change(&mut self.random, Some(place), &id, command, event)
    }

    fn deletion(&mut self, client: &Client, at: Timestamp) -> Event {
        let Some(place) = self.tasks.any(&mut self.random) else { return self.creation(client, at) };
        let id = self.tasks.get(place).task.id.clone();
        let request = Request { method: "DELETE", ..Request::get("/tasks/{id}", format!("/tasks/{id}")) };
        let mut event = self.event(client, at, request);
        event.status = 204;
        event.response_bytes = Some(0);
        self.tasks.change(&mut self.random, Some(place), &id, Command::Delete, event)
    }

    fn read_task(&mut self, client: &Client, at: Timestamp) -> Event {
        let Some(place) = self.tasks.any(&mut self.random) else { return self.list(client, at) };
        let task = &self.tasks.get(place).task;
        let (id, version, length) = (task.id.clone(), task.version, task.task.len());
        let event = self.event(client, at, Request::get("/tasks/{id}", format!("/tasks/{id}")));
        let event = Event { entity_id: Some(id), entity_version: Some(version), ..event };
        answered(read(event, "task", "read"), 200, 190 + length as i64)
    }

    fn list(&mut self, client: &Client, at: Timestamp) -> Event {
        let (kind, path) = self.random.one_of(&[("task", "/tasks"), ("data", "/data")]);
        let mut request = Request::get(path, path);
        request.query = match self.random.below(4) {
            0 => None,
            1 => Some(format!("limit={}", 10 * (1 + self.random.below(10)))),
            2 => Some("limit=25&status=in_progress".to_owned()),
            _ => Some(format!("cursor={}{}&limit=25", self.random.hex(), self.random.hex())),
        };
        let event = self.event(client, at, request);
        let bytes = 30 + self.random.below(9_000) as i64;
        answered(read(event, kind, "list"), 200, bytes)
    }

    fn read_submission(&mut self, client: &Client, at: Timestamp) -> Event {
        let id = tasks::id(&mut self.random, at);
        let event = self.event(client, at, Request::get("/data/{id}", format!("/data/{id}")));
        let event = Event { entity_id: Some(id), entity_version: Some(1), ..event };
        let bytes = 200 + self.random.below(1_500) as i64;
        answered(read(event, "data", "read"), 200, bytes)
    }

    fn refusal(&mut self, client: &Client, at: Timestamp) -> Event {
        let refusal = refusals::any(&mut self.random, &self.author, client, at);
        let event = self.event(client, at, refusal.request);
        let event_type = if refusal.status < 500 { "request.rejected" } else { "request.failed" };
        let mut event = Event {
            event_type: event_type.to_owned(),
            error_type: Some(refusal.slug.to_owned()),
            error_detail: Some(refusal.detail),
            ..event
        };
        if let Some(encoding) = refusal.encoding {
            encoding.clone_into(&mut event.request_body_encoding);
        }
        answered(event, refusal.status, 240)
    }

    fn replay(&mut self, client: &Client, at: Timestamp) -> Event {
        let body = self.author.submission(&mut self.random, &client.user);
        let mut request = Request::send("POST", "/data", "/data", body);
        request.idempotency_key = Some(self.random.uuid());
        let event = self.event(client, at, request);
        let event = Event { idempotency_outcome: Some("replayed".to_owned()), ..event };
        answered(Event { event_type: "request.replayed".to_owned(), ..event }, 201, 110)
    }
}

fn read(event: Event, kind: &str, operation: &str) -> Event {
    Event {
        event_type: "request.read".to_owned(),
        entity_type: Some(kind.to_owned()),
        operation: Some(operation.to_owned()),
        ..event
    }
}

fn answered(event: Event, status: i32, bytes: i64) -> Event {
    Event { status, response_bytes: Some(bytes), ..event }.sealed()
}
