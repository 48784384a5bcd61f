//! A client of Trino's own protocol: a statement goes in, pages come out one after the other.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::http::{Error, exchange};

/// The catalog of which schemas are databases.
const CATALOG: &str = "memory";

/// A running server.
#[derive(Debug, Clone)]
pub struct Trino {
    address: String,
}

/// A part of an answer, and where the next one is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// The server's id of the query.
    pub id: String,
    next_uri: Option<String>,
    /// The answer's columns, once they are known.
    pub columns: Option<Vec<Column>>,
    data: Option<Vec<Vec<Box<RawValue>>>>,
    /// Why there is no answer.
    pub error: Option<Failure>,
    /// How far the query is.
    pub stats: Stats,
}

/// Name and type of a column, as Trino writes them: `timestamp(6)`, `varchar`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Column {
    pub name: String,
    pub r#type: String,
}

/// Why a query failed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What happened, in words.
    pub message: String,
    /// Its kind, such as `COLUMN_NOT_FOUND`.
    pub error_name: String,
    /// Whose fault it is: `USER_ERROR`, `INTERNAL_ERROR`, `INSUFFICIENT_RESOURCES` or `EXTERNAL`.
    pub error_type: String,
}

/// How far a query is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// `QUEUED`, `RUNNING`, `FINISHED`, `FAILED` …
    pub state: String,
    /// Bytes that were read for it.
    pub processed_bytes: u64,
}

/// A whole answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// Names and types.
    pub columns: Vec<Column>,
    /// Each value as text, as Athena writes it; null is none. Lists and maps, which answers do not have, are JSON.
    pub rows: Vec<Vec<Option<String>>>,
    /// Bytes that were read for it.
    pub bytes: u64,
}

impl Trino {
    /// The server that `rig/emulators/with-trino` has started.
    ///
    /// # Errors
    /// The command is not run by that script.
    #[expect(clippy::disallowed_methods, reason = "where the server listens is part of a test's environment")]
    pub fn from_environment() -> Result<Self, String> {
        let missing = "DAYBOOK_TRINO is not set: run it by rig/emulators/with-trino";
        let url = std::env::var("DAYBOOK_TRINO").map_err(|_| missing.to_owned())?;
        Ok(Self { address: url.trim_start_matches("http://").to_owned() })
    }

    /// Begins a statement that finds its tables in `schema`.
    ///
    /// # Errors
    /// The server gives no answer. What is wrong with the statement is said in the page.
    pub async fn begin(&self, schema: &str, statement: &str) -> Result<Page, Error> {
        let request = Request::post("/v1/statement")
            .header("X-Trino-User", "rig")
            .header("X-Trino-Catalog", CATALOG)
            .header("X-Trino-Schema", schema)
            .header("X-Trino-Time-Zone", "UTC")
            // Else times come cut to milliseconds.
            .header("X-Trino-Client-Capabilities", "PARAMETRIC_DATETIME");
        let body = Full::from(statement.to_owned());
        self.ask(request.header("Host", &self.address).body(body)?).await
    }

    /// The page after this one; none if this one is the last. Waits a second at most for rows, then gives a page without.
    ///
    /// # Errors
    /// The server gives no answer.
    pub async fn next(&self, page: &Page) -> Result<Option<Page>, Error> {
        let Some(uri) = &page.next_uri else { return Ok(None) };
        self.ask(self.request(Method::GET, uri)?).await.map(Some)
    }

    /// Ends a query of which this is the newest page.
    ///
    /// # Errors
    /// The server gives no answer.
    pub async fn stop(&self, page: &Page) -> Result<(), Error> {
        let Some(uri) = &page.next_uri else { return Ok(()) };
        exchange(&self.address, self.request(Method::DELETE, uri)?).await.map(|_| ())
    }

    /// How the query with this id ended or stands: `RUNNING`, `FINISHED`, `FAILED` …, and with what error.
    ///
    /// # Errors
    /// The server gives no answer, or does not know the query.
    pub async fn state(&self, id: &str) -> Result<(String, Option<String>), Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Info {
            state: String,
            error_code: Option<Code>,
        }
        #[derive(Deserialize)]
        struct Code {
            name: String,
        }
        let info: Info = self.ask(self.request(Method::GET, &format!("/v1/query/{id}"))?).await?;
        Ok((info.state, info.error_code.map(|code| code.name)))
    }

    /// Runs a statement to its end.
    ///
    /// # Errors
    /// It failed, or the server gives no answer.
    pub async fn run(&self, schema: &str, statement: &str) -> Result<Answer, Error> {
        let mut answer = Answer::default();
        let mut page = Some(self.begin(schema, statement).await?);
        while let Some(current) = page {
            if let Some(failure) = &current.error {
                return Err(format!("{}: {}", failure.error_name, failure.message).into());
            }
            answer.take(&current)?;
            page = self.next(&current).await?;
        }
        Ok(answer)
    }

    fn request(&self, method: Method, uri: &str) -> Result<Request<Full<Bytes>>, Error> {
        let target = uri.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..])).unwrap_or(uri);
        let request = Request::builder().method(method).uri(target).header("X-Trino-User", "rig");
        Ok(request.header("Host", &self.address).body(Full::default())?)
    }

    async fn ask<T: DeserializeOwned>(&self, request: Request<Full<Bytes>>) -> Result<T, Error> {
        loop {
            let answer = exchange(&self.address, request.clone()).await?;
            match answer.status() {
                StatusCode::OK => return Ok(serde_json::from_slice(answer.body())?),
                // What the protocol tells clients to do then.
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                status => return Err(format!("{status}: {}", String::from_utf8_lossy(answer.body())).into()),
            }
        }
    }
}

impl Answer {
    /// Adds what is in a page.
    ///
    /// # Errors
    /// A text is no JSON.
    pub fn take(&mut self, page: &Page) -> Result<(), Error> {
        if let Some(columns) = &page.columns {
            self.columns.clone_from(columns);
        }
        self.bytes = page.stats.processed_bytes;
        for row in page.data.iter().flatten() {
            self.rows.push(row.iter().map(|value| text(value.get())).collect::<Result<_, _>>()?);
        }
        Ok(())
    }
}

/// A number keeps the digits that the server wrote: `1.0E-5`.
fn text(json: &str) -> Result<Option<String>, Error> {
    match json.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => Ok(Some(serde_json::from_str(json)?)),
        _ => Ok(Some(json.to_owned())),
    }
}
