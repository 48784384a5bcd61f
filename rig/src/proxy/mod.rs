//! A proxy between real SDK clients and the stand-ins for AWS: it counts every request, and lets faults happen to them.

mod operation;
mod partial;
mod refusal;
mod traffic;
mod upstream;

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_types::SdkConfig;
use aws_types::origin::Origin;
use bytes::Bytes;
use futures::stream;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::operation::Service;
use self::partial::Part;
use self::upstream::Upstream;
use crate::plan::{Fault, Plan};

pub use self::traffic::{Exchange, Traffic};
pub use self::upstream::Upstreams;

/// How long the first half of a truncated answer has to reach the client before the connection ends.
const HALF: Duration = Duration::from_millis(10);

/// A running proxy, on a port of its own. Ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    inner: Arc<Inner>,
    listener: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    upstream: Upstream,
    state: Mutex<State>,
    under_way: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    plan: Plan,
    /// Requests of each operation since the plan began.
    seen: HashMap<String, u64>,
    traffic: Traffic,
    /// How many exchanges were taken out of `traffic`.
    taken: usize,
}

/// A request that has arrived: which one it is, and what is to become of it.
#[derive(Debug, Clone)]
struct Seat {
    number: usize,
    service: Service,
    operation: String,
    fault: Option<Fault>,
}

/// The connection ends without an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut by the plan")
    }
}

impl std::error::Error for Cut {}

type Body = UnsyncBoxBody<Bytes, Cut>;

impl Proxy {
    /// A proxy without faults, on a free port of this machine.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(upstreams: Upstreams) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let upstream = Upstream::new(upstreams);
        let inner = Arc::new(Inner { upstream, state: Mutex::default(), under_way: watch::Sender::new(0) });
        let served = Arc::clone(&inner);
        let listener = tokio::spawn(crate::http::serve(listener, move |request| Arc::clone(&served).answer(request)));
        Ok(Self { address, inner, listener })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same settings, for clients of every service to go through the proxy.
    pub fn config(&self, settings: &SdkConfig) -> SdkConfig {
        let mut builder = settings.clone().into_builder().endpoint_url(self.url());
        // Else the variables that name one service's endpoint would go before it.
        builder.insert_origin("endpoint_url", Origin::shared_config());
        builder.build()
    }

    /// From now on faults happen as the plan says; it counts from the next request.
    pub fn play(&self, plan: Plan) {
        let mut state = self.inner.state();
        state.plan = plan;
        state.seen.clear();
    }

    /// No more faults; returns once the requests that are under way have been carried out, late ones included.
    pub async fn heal(&self) {
        self.play(Plan::none());
        let mut under_way = self.inner.under_way.subscribe();
        // It can only fail if the sender were gone, which lives in `self`.
        let _ = under_way.wait_for(|requests| *requests == 0).await;
    }

    /// What went through since it was asked last.
    pub fn take(&self) -> Traffic {
        let mut state = self.inner.state();
        state.taken += state.traffic.0.len();
        std::mem::take(&mut state.traffic)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Inner {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let (head, mut body) = request.into_parts();
        let under_way = UnderWay::begin(&self);
        let seat = self.seat(&head);
        if seat.fault == Some(Fault::BreakOff) {
            let _ = body.frame().await;
            return Err(Cut);
        }
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        self.note(&seat, |exchange| exchange.request_bytes = body.len() as u64);
        let truncated = seat.fault == Some(Fault::Truncate);
        // A task of its own: what a service has begun it ends, whether or not its client is still there.
        let carried = tokio::spawn(async move {
            let answer = self.carry(&seat, head, body).await;
            drop(under_way);
            answer
        })
        .await;
        let answer = carried.ok().flatten().ok_or(Cut)?;
        match truncated {
            true => first_half(answer),
            false => Ok(answer.map(|body| Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync())),
        }
    }

    /// Counts a request and decides what becomes of it.
    fn seat(&self, head: &Parts) -> Seat {
        let (service, operation) = operation::of(head);
        let mut state = self.state();
        let seen = state.seen.entry(operation.clone()).or_default();
        *seen += 1;
        let nth = *seen;
        let fault = state.plan.decide(&operation, nth).filter(|fault| fault.applies_to(&operation));
        let number = state.taken + state.traffic.0.len();
        let operation_name = operation.clone();
        state.traffic.0.push(Exchange { operation, fault, status: None, request_bytes: 0, response_bytes: 0 });
        Seat { number, service, operation: operation_name, fault }
    }

    /// Carries a request out as its fault says; none if the client is to hear nothing.
    async fn carry(&self, seat: &Seat, head: Parts, body: Bytes) -> Option<Response<Bytes>> {
        let part = seat.fault.and_then(|fault| Part::of(fault, seat.service));
        let answer = match seat.fault {
            Some(Fault::DropBefore) => None,
            Some(Fault::DropAfter) => {
                self.send(seat, &head, body).await;
                None
            }
            Some(Fault::Duplicate) => {
                let first = self.send(seat, &head, body.clone()).await;
                self.send(seat, &head, body).await;
                Some(first)
            }
            Some(Fault::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                Some(self.send(seat, &head, body).await)
            }
            Some(fault) => match (part, refusal::refusal(fault, seat.service, &seat.operation, &body)) {
                (Some(part), _) => self.put_in_part(seat, &head, body, part).await,
                (None, Some(refusal)) => Some(refusal),
                (None, None) => Some(self.send(seat, &head, body).await),
            },
            None => Some(self.send(seat, &head, body).await),
        };
        self.note(seat, |exchange| {
            exchange.status = answer.as_ref().map(|answer| answer.status().as_u16());
            exchange.response_bytes = answer.as_ref().map_or(0, |answer| answer.body().len() as u64);
        });
        answer
    }

    async fn put_in_part(&self, seat: &Seat, head: &Parts, body: Bytes, part: Part) -> Option<Response<Bytes>> {
        let taken = match part.taken(&body) {
            Some(taken) => Some(self.send(seat, head, taken).await),
            None => None,
        };
        match taken {
            Some(refused) if !refused.status().is_success() => Some(refused),
            taken => {
                let taken = taken.as_ref().map(|answer| &answer.body()[..]);
                part.answer(&body, taken).map(|answer| refusal::json_answer(200, &answer))
            }
        }
    }

    async fn send(&self, seat: &Seat, head: &Parts, body: Bytes) -> Response<Bytes> {
        match self.upstream.send(seat.service, head, body).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(%error, operation = seat.operation, "a stand-in gave no answer");
                upstream::gone(&error)
            }
        }
    }

    /// Adds to what is known of a request, unless it was taken out meanwhile.
    fn note(&self, seat: &Seat, add: impl FnOnce(&mut Exchange)) {
        let mut state = self.state();
        let index = seat.number.checked_sub(state.taken);
        if let Some(exchange) = index.and_then(|index| state.traffic.0.get_mut(index)) {
            add(exchange);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a request as under way until it is dropped.
struct UnderWay(Arc<Inner>);

impl UnderWay {
    fn begin(inner: &Arc<Inner>) -> Self {
        inner.under_way.send_modify(|requests| *requests += 1);
        Self(Arc::clone(inner))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|requests| *requests -= 1);
    }
}

/// An answer whose body ends in the middle, with the connection. One without a body cannot, and is lost.
fn first_half(answer: Response<Bytes>) -> Result<Response<Body>, Cut> {
    let (mut head, body) = answer.into_parts();
    if body.is_empty() {
        return Err(Cut);
    }
    head.headers.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from(body.len()));
    let half = body.slice(..body.len() / 2);
    let frames = stream::unfold(Some(half), |half| async move {
        match half {
            Some(half) if !half.is_empty() => Some((Ok(Frame::data(half)), Some(Bytes::new()))),
            Some(_) => {
                tokio::time::sleep(HALF).await;
                Some((Err(Cut), None))
            }
            None => None,
        }
    });
    Ok(Response::from_parts(head, StreamBody::new(frames).boxed_unsync()))
}
