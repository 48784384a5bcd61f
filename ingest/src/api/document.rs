//! `/openapi.json` and `/docs`: the API's description of itself, for programs and for people.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use event::sha256_hex;

use super::dispatch::{Call, read};
use super::{Api, Finished};
use crate::http::{Answer, Problem, conditional};
use crate::openapi;

/// Digits of the hash that is an entity tag.
const TAG_DIGITS: usize = 32;

/// The document and the page of the address that was asked last: both are the same for as long as the program runs.
#[derive(Default)]
pub(super) struct Documents(Mutex<Option<Arc<Rendered>>>);

/// Both of one address, with their entity tags.
struct Rendered {
    address: String,
    document: (Bytes, String),
    page: (Bytes, String),
}

impl Documents {
    fn of(&self, address: String) -> Arc<Rendered> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(rendered) if rendered.address == address => Arc::clone(rendered),
            _ => Arc::clone(last.insert(Arc::new(Rendered::of(address)))),
        }
    }
}

impl Rendered {
    fn of(address: String) -> Self {
        let document = openapi::document(&address);
        let page = openapi::page::page(&document);
        Self { document: tagged(document.to_string().into()), page: tagged(page.into()), address }
    }
}

impl Api {
    /// The document, with the address that the client knows the routes under.
    pub(super) fn openapi(&self, call: &Call<'_>) -> Result<Finished, Problem> {
        let rendered = self.documents.of(call.location(self, ""));
        let (document, tag) = &rendered.document;
        let answer = Answer::of(200, "application/json", document.clone());
        conditional::unless_known(call.received, tag, answer).map(read)
    }

    /// The same as a page, which may load nothing and be framed by nobody.
    pub(super) fn docs(&self, call: &Call<'_>) -> Result<Finished, Problem> {
        let rendered = self.documents.of(call.location(self, ""));
        let (page, tag) = &rendered.page;
        let answer = Answer::of(200, "text/html; charset=utf-8", page.clone())
            .with("content-security-policy", openapi::page::POLICY.as_str())
            .with("x-content-type-options", "nosniff")
            .with("referrer-policy", "no-referrer");
        conditional::unless_known(call.received, tag, answer).map(read)
    }
}

/// A content and its entity tag, which is its hash.
fn tagged(content: Bytes) -> (Bytes, String) {
    let tag = format!("\"{}\"", &sha256_hex(&content)[..TAG_DIGITS]);
    (content, tag)
}
