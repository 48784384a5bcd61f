//! HTTP as the API speaks it: what comes in, what goes out, and the conventions of every route.

pub mod accept;
pub mod auth;
pub mod caching;
pub mod conditional;
pub mod cors;
pub mod cursor;
pub mod gateway;
pub mod idempotency;
pub mod limits;
pub mod problem;
pub mod query;
pub mod range;
pub mod rates;
pub mod request;
pub mod response;
pub mod route;
pub mod trace;

pub use problem::Problem;
pub use request::{Arrival, Received, ReceivedBody, Vouched};
pub use response::{Answer, Response};
