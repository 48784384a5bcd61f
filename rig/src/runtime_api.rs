//! A Lambda Runtime API for tests: starts a function's real binary, feeds it events, takes its answers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};
use tokio::time::timeout;

/// How long an invocation may take, by what the function is told, unless a test says otherwise.
pub const TIME: Duration = Duration::from_secs(30);
/// The trace that every invocation belongs to.
pub const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

/// An invocation that waits to be taken.
struct Waiting {
    id: String,
    event: Vec<u8>,
    time: Duration,
    answer: oneshot::Sender<Answer>,
}

/// What an invocation came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The function's answer.
    Success(Value),
    /// The function's error.
    Failure(Value),
}

impl Answer {
    /// The function's answer.
    ///
    /// # Panics
    /// The invocation failed.
    pub fn success(self) -> Value {
        match self {
            Self::Success(value) => value,
            Self::Failure(error) => panic!("the invocation failed: {error}"),
        }
    }
}

/// The API, at an address of its own; a function's process at a time.
#[derive(Clone)]
pub struct RuntimeApi {
    address: SocketAddr,
    events: mpsc::UnboundedSender<Waiting>,
    shared: Arc<Shared>,
}

struct Shared {
    waiting: AsyncMutex<mpsc::UnboundedReceiver<Waiting>>,
    taken: Mutex<Option<(String, oneshot::Sender<Answer>)>>,
}

impl RuntimeApi {
    /// Starts the API.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (events, waiting) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { waiting: AsyncMutex::new(waiting), taken: Mutex::new(None) });
        let served = Arc::clone(&shared);
        tokio::spawn(crate::http::serve(listener, move |request| serve(Arc::clone(&served), request)));
        Self { address, events, shared }
    }

    /// Starts a function's binary against this API, with these variables beside those of AWS.
    pub fn function(&self, name: &str, env: &[(&str, &str)]) -> FunctionProcess {
        let path = binary(name);
        let mut child = Command::new(&path)
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", self.address.to_string().as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", &format!("daybook-{name}")),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ])
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", path.display()));
        let lines = Arc::default();
        let stdout = child.stdout.take().unwrap();
        tokio::spawn(collect(stdout, Arc::clone(&lines)));
        FunctionProcess { child, lines }
    }

    /// Invokes the function and waits for what it comes to.
    pub async fn invoke(&self, event: &str) -> Answer {
        self.invoke_within(event, TIME).await.await.expect("the function ended before it answered")
    }

    /// Queues an invocation with so much time; gives what its answer comes by. The function may be gone before it does.
    pub async fn invoke_within(&self, event: &str, time: Duration) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        let id = crate::fixtures::unique("invocation");
        self.events.send(Waiting { id, event: event.as_bytes().to_vec(), time, answer }).ok().unwrap();
        answered
    }

    /// Forgets the invocation that a killed process had taken.
    pub fn abandon(&self) {
        self.shared.taken.lock().unwrap().take();
    }
}

/// A running function.
pub struct FunctionProcess {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl FunctionProcess {
    /// What it has written to standard output so far, as JSON lines.
    ///
    /// # Panics
    /// A line is no JSON.
    pub fn lines(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
    }

    /// Waits until a line is there for which `found` holds.
    pub async fn line(&self, found: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..500 {
            if let Some(line) = self.lines().into_iter().find(&found) {
                return line;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no such line: {:?}", self.lines.lock().unwrap());
    }

    /// Ends it the hard way.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for its own end; gives its code and what it said on standard error.
    pub async fn end(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
        (timeout(TIME, self.child.wait()).await.expect("the function does not end").unwrap(), said)
    }
}

/// A program of the workspace, beside the test's own.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join(name);
    assert!(path.exists(), "{} is missing: `make test-aws` builds it first, by cargo build --bins", path.display());
    path
}

async fn collect(out: impl tokio::io::AsyncRead + Unpin, lines: Arc<Mutex<Vec<String>>>) {
    let mut reader = BufReader::new(out).lines();
    while let Ok(Some(line)) = reader.next_line().await {
        lines.lock().unwrap().push(line);
    }
}

async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if path == "/2018-06-01/runtime/invocation/next" {
        return Ok(next(&shared).await);
    }
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut parts = path.trim_start_matches("/2018-06-01/runtime/invocation/").split('/');
    let (id, what) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let taken = shared.taken.lock().unwrap().take();
    let Some((_, answer)) = taken.filter(|(taken, _)| taken == id) else { return Ok(status(StatusCode::GONE)) };
    let value = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
    // A test that no longer waits has what it wanted.
    let _ = answer.send(if what == "response" { Answer::Success(value) } else { Answer::Failure(value) });
    Ok(status(StatusCode::ACCEPTED))
}

/// Waits for an event, as Lambda freezes a function until there is one.
#[expect(clippy::disallowed_methods, reason = "a deadline is told as a time of day")]
async fn next(shared: &Shared) -> Response<Full<Bytes>> {
    let Some(waiting) = shared.waiting.lock().await.recv().await else { return status(StatusCode::GONE) };
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + waiting.time;
    let response = Response::builder()
        .header("lambda-runtime-aws-request-id", &waiting.id)
        .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
        .header("lambda-runtime-trace-id", TRACE)
        .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:daybook")
        .body(Full::from(waiting.event));
    *shared.taken.lock().unwrap() = Some((waiting.id, waiting.answer));
    response.unwrap()
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
