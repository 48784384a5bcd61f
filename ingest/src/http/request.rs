//! A request as an adapter hands it over: nothing decoded, nothing normalised, nothing refused yet.

use bytes::Bytes;
use event::Timestamp;
use http::HeaderMap;

use super::auth::Claims;

/// When a request began to be handled.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// The time of day.
    pub received_at: Timestamp,
    /// The monotonic clock, microseconds.
    pub started: u64,
}

/// One request, whatever it is: any method, any path, any bytes.
#[derive(Debug)]
pub struct Received {
    /// When it came.
    pub arrival: Arrival,
    /// Method as received.
    pub method: String,
    /// What the client's address has before the path: a gateway's stage, a domain's mapping; empty for nothing.
    pub mount: String,
    /// Path as received: neither decoded nor normalised.
    pub path: String,
    /// Query string as received, without the question mark.
    pub query: Option<String>,
    /// Headers; repeated ones keep all their values.
    pub headers: HeaderMap,
    /// The body, as far as it could be read.
    pub body: ReceivedBody,
    /// The client's address.
    pub client_ip: Option<String>,
    /// `HTTP/1.1` and the like.
    pub protocol: Option<String>,
    /// The gateway's id of the request; without one the event's own id serves.
    pub request_id: Option<String>,
    /// The invocation that handles it.
    pub invocation_id: Option<String>,
    /// Whether it is the process's first.
    pub cold_start: Option<bool>,
    /// Who it is from, where a gateway has found that out: never what the client says.
    pub vouched: Option<Vouched>,
}

/// Who a request is from, as a gateway's authorizer has found out.
#[derive(Debug, Clone, PartialEq)]
pub enum Vouched {
    /// The bearer of a JWT that the gateway has checked: its claims.
    Claims(Claims),
    /// Whoever a function of the installation's own has let in: its context, with the principal as `principalId`.
    Custom(Claims),
    /// A principal of AWS that has signed the request: its ARN, or another name that AWS has for it.
    Iam(String),
}

/// What could be read of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceivedBody {
    /// All of it.
    Whole(Bytes),
    /// All of it, kept as the content of an asset and not in memory.
    Kept {
        /// Where it lies.
        key: String,
        /// Bytes.
        size: u64,
        /// SHA-256 of them, hex.
        sha256: String,
    },
    /// It is larger than allowed; `size` bytes were announced, or read before reading stopped.
    TooLarge {
        /// Bytes.
        size: u64,
    },
    /// It did not come in time.
    Late {
        /// Bytes that came.
        size: u64,
    },
    /// It ended early or broke the protocol's rules.
    Broken {
        /// Bytes that came.
        size: u64,
        /// What went wrong, for the client and the log.
        reason: &'static str,
    },
}

impl Received {
    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Bytes of the body that came.
    pub fn body_size(&self) -> u64 {
        self.body.size()
    }
}

impl ReceivedBody {
    /// Bytes that came, or were announced.
    pub fn size(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Kept { size, .. } | Self::TooLarge { size } | Self::Late { size } | Self::Broken { size, .. } => {
                *size
            }
        }
    }
}
