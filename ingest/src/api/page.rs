//! Pages of a list, by cursor.

use serde::Serialize;

use super::dispatch::Call;
use super::{Api, unavailable};
use crate::http::{Answer, Problem};
use crate::store::{ListOf, ListQuery, Listed};

/// A list as one tenant may see it: what a token is good for.
pub(super) struct List<'a> {
    pub path: &'a str,
    pub filters: Vec<(&'static str, &'a str)>,
}

/// One page, and the way to the next.
pub(super) struct Page {
    pub items: Vec<Listed>,
    next: Option<Next>,
}

/// The token of the next page, and its URL for the `Link` header.
pub(super) struct Next {
    token: String,
    url: String,
}

impl Api {
    /// Reads one page of a list, newest first.
    pub(super) async fn page(&self, call: &Call<'_>, list: &List<'_>, of: ListOf) -> Result<Page, Problem> {
        let limit = call.query.limit()?;
        let before = self.page_start(call, list)?;
        let (tenant, now) = (call.identity.tenant.clone(), call.received.arrival.received_at);
        let query = ListQuery { tenant, of, before, limit: limit + 1, now };
        let mut items = self.store.list(&query).await.map_err(|error| unavailable(&error))?;
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more).map(|listed| listed.key.clone());
        Ok(Page { next: last.map(|last| self.next_page(call, list, limit, &last)), items })
    }

    /// The key that `next` goes on from.
    pub(super) fn page_start(&self, call: &Call<'_>, list: &List<'_>) -> Result<Option<String>, Problem> {
        let name = list.name(&call.identity.tenant);
        call.query.get("next")?.map(|token| self.cursors.last(&name, token)).transpose()
    }

    /// The page after the entry with the key `last`.
    pub(super) fn next_page(&self, call: &Call<'_>, list: &List<'_>, limit: usize, last: &str) -> Next {
        let token = self.cursors.token(&list.name(&call.identity.tenant), last);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&list.filters).append_pair("limit", &limit.to_string()).append_pair("next", &token);
        let url = format!("{}?{}", call.location(self, list.path), query.finish());
        Next { token, url }
    }
}

impl Page {
    /// The page as an answer.
    pub fn answer(&self, items: &[impl Serialize]) -> Answer {
        answer(items, self.next.as_ref(), &[])
    }
}

/// A page of anything as an answer, with fields of its own beside the items.
pub(super) fn answer(
    items: &[impl Serialize],
    next: Option<&Next>,
    extra: &[(&'static str, serde_json::Value)],
) -> Answer {
    #[derive(Serialize)]
    struct Body<'a, T> {
        items: &'a [T],
        count: usize,
        next: Option<&'a str>,
        #[serde(flatten)]
        extra: std::collections::BTreeMap<&'static str, &'a serde_json::Value>,
    }
    let extra = extra.iter().map(|(name, value)| (*name, value)).collect();
    let body = Body { items, count: items.len(), next: next.map(|next| next.token.as_str()), extra };
    let answer = Answer::json(200, &body);
    match next {
        Some(next) => answer.with("link", format!("<{}>; rel=\"next\"", next.url)),
        None => answer,
    }
}

impl List<'_> {
    /// Tenant, path and filters; NUL cannot occur in a path.
    fn name(&self, tenant: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.filters);
        format!("{tenant}\0{}\0{}", self.path, query.finish())
    }
}
