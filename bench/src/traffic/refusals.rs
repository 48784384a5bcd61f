//! Requests that are refused or fail, each for one of the API's reasons.

use event::Timestamp;

use super::client::Client;
use super::envelope::Request;
use super::random::Random;
use super::tasks;
use super::text::Author;

/// A request and why it was not carried out.
#[derive(Debug)]
pub struct Refusal {
    pub request: Request,
    pub status: i32,
    pub slug: &'static str,
    pub detail: String,
    /// How the body is kept, if not as JSON or none.
    pub encoding: Option<&'static str>,
}

impl Refusal {
    fn of(request: Request, status: i32, slug: &'static str, detail: impl Into<String>) -> Self {
        Self { request, status, slug, detail: detail.into(), encoding: None }
    }
}

const STRAY: &[&str] = &["/.env", "/wp-login.php", "/admin", "/favicon.ico", "/index.php", "/robots.txt", "/v2/tasks"];

/// One of them.
pub fn any(random: &mut Random, author: &Author, client: &Client, at: Timestamp) -> Refusal {
    let of_task = |id: &str| Request::get("/tasks/{id}", format!("/tasks/{id}"));
    match random.below(12) {
        0..=2 => of_body(random, author, client),
        3..=4 => {
            let path = random.one_of(STRAY).to_owned();
            let request = Request { method: "GET", path, ..Request::default() };
            Refusal::of(request, 404, "not-found", "There is nothing at this path.")
        }
        5..=6 => Refusal::of(of_task(&tasks::id(random, at)), 404, "not-found", "Task not found"),
        7 => {
            let request = Request::get("/tasks", "/tasks");
            Refusal::of(request, 401, "unauthenticated", "Send an API key in X-Api-Key or a token in Authorization.")
        }
        8..=9 => {
            let id = tasks::id(random, at);
            let (expected, current) = (1 + random.below(5) as i64, 6 + random.below(20));
            let body = r#"{"status":"completed"}"#.to_owned();
            let mut request = Request::send("PUT", "/tasks/{id}", format!("/tasks/{id}"), body);
            request.expects = Some(expected);
            Refusal::of(request, 412, "precondition-failed", format!("The task is at version {current}."))
        }
        10 => {
            let body = author.submission(random, &client.user);
            let mut request = Request::send("POST", "/data", "/data", body);
            request.idempotency_key = Some(random.uuid());
            let detail = "A request with this Idempotency-Key is not finished; repeat it later.";
            Refusal::of(request, 409, "idempotency-key-in-flight", detail)
        }
        _ => {
            let body = author.submission(random, &client.user);
            let request = Request::send("POST", "/data", "/data", body);
            Refusal::of(request, 503, "unavailable", "The event could not be made durable; nothing has changed.")
        }
    }
}

/// What is wrong with it is the body.
fn of_body(random: &mut Random, author: &Author, client: &Client) -> Refusal {
    let body = author.submission(random, &client.user);
    match random.below(4) {
        0 => {
            let half: String = body.chars().take(body.chars().count() / 2).collect();
            let detail = format!("The body is not JSON: EOF while parsing a string at line 1 column {}", half.len());
            Refusal::of(Request::send("POST", "/data", "/data", half), 400, "invalid-request", detail)
        }
        1 => {
            let text = author.text(random, 30);
            let content_type = Some("text/plain; charset=utf-8");
            let request = Request { content_type, ..Request::send("POST", "/data", "/data", text) };
            let refusal = Refusal::of(request, 415, "unsupported-media-type", "Send application/json.");
            Refusal { encoding: Some("text"), ..refusal }
        }
        2 => {
            let bytes = format!("{}{}", random.uuid().replace('-', "/"), "AAAAAAAA");
            let content_type = Some("application/octet-stream");
            let request = Request { content_type, ..Request::send("POST", "/data", "/data", bytes) };
            let refusal = Refusal::of(request, 415, "unsupported-media-type", "Send application/json.");
            Refusal { encoding: Some("base64"), ..refusal }
        }
        _ => {
            let request = Request::send("POST", "/tasks", "/tasks", r#"{"task":"","priority":"soon"}"#.to_owned());
            let detail = "/task: task must not be empty. /priority: one of \"low\", \"medium\", \"high\", \"urgent\".";
            Refusal::of(request, 400, "invalid-request", detail)
        }
    }
}
