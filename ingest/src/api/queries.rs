//! `/queries`: named queries, answered by whoever the composition root names.

use std::sync::Arc;

use event::Timestamp;
use event::domain::Operation;
use futures::future::BoxFuture;

use super::dispatch::{Call, read};
use super::{Api, Finished};
use crate::http::{Answer, Problem, accept};
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
    /// The path that a question of such a name is asked at, as clients write it.
    pub path: String,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One document.
    Json,
    /// A heading and rows.
    Csv,
    /// A row a line.
    Ndjson,
}

impl Form {
    /// Every form, the usual one first.
    pub const ALL: [Self; 3] = [Self::Json, Self::Csv, Self::Ndjson];
    /// The parameter that says which; no query has one of its own by this name.
    pub const PARAMETER: &'static str = "format";

    /// Its word for [`PARAMETER`](Self::PARAMETER).
    pub const fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// Its media type.
    pub const fn media(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

impl Ask {
    /// The form that the client wants: `format=`, else `Accept`.
    ///
    /// # Errors
    /// 400 for a word that is none, 406 for a client that takes no form.
    pub fn form(&self) -> Result<Form, Problem> {
        if let Some((name, word)) = self.parameters.iter().find(|(name, _)| name == Form::PARAMETER) {
            let found = Form::ALL.into_iter().find(|form| form.word() == word);
            let refused = || Problem::parameter(name, "invalid_value", "format must be json, csv or ndjson.");
            return found.ok_or_else(refused);
        }
        let media = Form::ALL.map(Form::media);
        let chosen = accept::choose(self.accept.as_deref(), &media);
        let found = Form::ALL.into_iter().find(|form| Some(form.media()) == chosen);
        found.ok_or_else(|| Problem::not_acceptable(format!("This route answers with {}.", media.join(", "))))
    }
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
        let path = name.as_ref().map_or_else(|| "/queries".to_owned(), |name| format!("/queries/{name}"));
        let ask = Ask {
            path: call.location(self, &path),
            name,
            parameters: call.query.pairs().to_vec(),
            accept: call.received.header("accept").map(str::to_owned),
            tenant: call.identity.tenant.clone(),
            now: record.received_at(),
        };
        answer(ask).await.map(read)
    }
}
