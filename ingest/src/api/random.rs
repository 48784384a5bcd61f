//! `/random`: values that a seed decides, as JSON or as plain text.

use event::domain::Operation;
use serde_json::{Value, json};

use super::dispatch::{Call, accepted, read};
use super::{Api, Finished};
use crate::http::{Answer, Problem, accept};
use crate::random::{Ask, LARGEST};
use crate::record::Record;

/// What it answers with; the first unless the client asks for another.
pub(super) const OFFERED: &[&str] = &["application/json", "text/plain"];

impl Api {
    /// The seed of a request that names none comes from the system's randomness, and is in the answer like any other.
    pub(super) fn random(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        record.about("random", None, Operation::Read);
        let ask = Ask::of(&call.query).map_err(Problem::fields)?;
        let seed = ask.seed.unwrap_or_else(|| {
            let [a, b, c, d, e, f, g, h, ..] = (self.system.random)();
            u64::from_be_bytes([a, b, c, d, e, f, g, h]) & LARGEST
        });
        let values = ask.kind.values(seed, ask.count);
        let answer = match accept::choose(Some(&accepted(call.received)), OFFERED) {
            Some("text/plain") => Answer::of(200, "text/plain; charset=utf-8", lines(&values)),
            _ => Answer::json(200, &json!({"type": ask.kind.word(), "values": values, "seed": seed})),
        };
        Ok(read(answer.with("daybook-seed", seed.to_string())))
    }
}

/// Bare values, one a line, none of which has a line break in it.
fn lines(values: &[Value]) -> String {
    let bare = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    values.iter().map(bare).collect::<Vec<_>>().join("\n")
}
