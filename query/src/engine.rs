//! The port: a named query with its parameters goes in, rows come out.

use async_trait::async_trait;

use crate::error::Result;
use crate::named::{NamedQuery, Params};
use crate::rows::Rows;

/// Runs named queries over the table `requests`.
///
/// Every engine gives the same rows for the same table, in the same order where the query orders them.
#[async_trait]
pub trait QueryEngine: Send + Sync {
    /// Runs `query` with parameters that [`NamedQuery::bind`] made for it.
    ///
    /// Gives at most as many rows as the engine allows, and says so in [`Rows::truncated`] if there were more.
    ///
    /// # Errors
    /// `BadParameter` if `params` were made for another query; `Timeout`, `OutOfMemory` at the engine's limits;
    /// `Unsupported` or `Engine` if the table cannot be read or the query cannot run.
    async fn run(&self, query: &NamedQuery, params: &Params) -> Result<Rows>;
}
