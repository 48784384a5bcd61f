//! `/queries`: named queries, answered by whoever the composition root names.

use std::sync::Arc;

use event::Timestamp;
use event::domain::Operation;
use futures::future::BoxFuture;

use super::dispatch::{Call, read};
use super::{Api, Finished};
use crate::http::{Answer, Problem};
use crate::record::Record;

/// A question: which, with what, of whose data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The query's name; without one the list of queries is asked for.
    pub name: Option<String>,
    /// Parameters by name.
    pub parameters: Vec<(String, String)>,
    /// The client's `Accept`.
    pub accept: Option<String>,
    /// Whose data the answer may come from.
    pub tenant: String,
    /// The time that relative parameters count from.
    pub now: Timestamp,
}

/// Answers questions. The stages meet at data: this is all that ingest knows of the query engine.
pub type QueryFn = Arc<dyn Fn(Ask) -> BoxFuture<'static, Result<Answer, Problem>> + Send + Sync>;

impl Api {
    pub(super) async fn ask(
        &self,
        call: &Call<'_>,
        record: &mut Record,
        name: Option<String>,
    ) -> Result<Finished, Problem> {
        let operation = if name.is_some() { Operation::Read } else { Operation::List };
        record.about("query", name.as_deref(), operation);
        let Some(answer) = &self.queries else {
            return Err(Problem::not_found("This service answers no queries."));
        };
        let ask = Ask {
            name,
            parameters: call.query.pairs().to_vec(),
            accept: call.received.header("accept").map(str::to_owned),
            tenant: call.identity.tenant.clone(),
            now: record.received_at(),
        };
        answer(ask).await.map(read)
    }
}
