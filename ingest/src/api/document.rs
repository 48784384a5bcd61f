//! `/openapi.json` and `/docs`: the API's description of itself, for programs and for people.

use event::sha256_hex;

use super::dispatch::{Call, read};
use super::{Api, Finished};
use crate::http::{Answer, Problem, conditional};
use crate::openapi;

/// Digits of the hash that is an entity tag.
const TAG_DIGITS: usize = 32;

impl Api {
    /// The document, with the address that the client knows the routes under.
    pub(super) fn openapi(&self, call: &Call<'_>) -> Result<Finished, Problem> {
        let document = openapi::document(&call.location(self, ""));
        tagged(call, Answer::json(200, &document))
    }

    /// The same as a page, which may load nothing and be framed by nobody.
    pub(super) fn docs(&self, call: &Call<'_>) -> Result<Finished, Problem> {
        let page = openapi::page::page(&openapi::document(&call.location(self, "")));
        let answer = Answer::of(200, "text/html; charset=utf-8", page)
            .with("content-security-policy", openapi::page::POLICY.as_str())
            .with("x-content-type-options", "nosniff")
            .with("referrer-policy", "no-referrer");
        tagged(call, answer)
    }
}

/// The answer with the hash of its content as its entity tag; 304 if the client has it.
fn tagged(call: &Call<'_>, answer: Answer) -> Result<Finished, Problem> {
    let tag = format!("\"{}\"", &sha256_hex(&answer.body)[..TAG_DIGITS]);
    let answer = if conditional::is_known(call.received, &tag)? { Answer::empty(304) } else { answer };
    Ok(read(answer.with("etag", tag)))
}
