//! `/random`.

use serde_json::{Value, json};

use super::operation::{Operation, Reply};
use super::schema;
use crate::random::ask::{
    ALPHABET, ALPHABET_MAX, ALPHABET_PATTERN, CHOICE_PATTERN, CHOICES_MAX, COUNT_MAX, EXACT, INTEGERS, LENGTH_MAX,
    LENGTHS,
};
use crate::random::{Kind, LARGEST};

pub(super) fn values() -> Operation {
    let (string, hex) = LENGTHS;
    let own = [
        ("min", "The least; of `integer`.", integer(*EXACT.start(), *EXACT.end(), INTEGERS.0)),
        ("max", "The greatest; of `integer`.", integer(*EXACT.start(), *EXACT.end(), INTEGERS.1)),
        (
            "length",
            "How many characters; of `string` and `hex`.",
            json!({"type": "integer", "minimum": 1, "maximum": LENGTH_MAX}),
        ),
        (
            "alphabet",
            "Characters to draw from, without control characters; of `string`.",
            json!({"type": "string", "minLength": 1, "maxLength": ALPHABET_MAX, "pattern": ALPHABET_PATTERN, "default": ALPHABET}),
        ),
    ];
    let of = json!({
        "name": "of", "in": "query", "style": "form", "explode": false,
        "description": "What to choose from, separated by commas; of `choice`, and needed there.",
        "schema": {
            "type": "array", "minItems": 1, "maxItems": CHOICES_MAX,
            "items": {"type": "string", "minLength": 1, "pattern": CHOICE_PATTERN},
        },
    });
    let example = json!({"type": "name", "values": ["Linus Bauer", "Kenji Mbeki"], "seed": 42});
    let reply = Reply::json("The values.", schema("RandomValues"), example).or(
        "text/plain",
        json!({"type": "string"}),
        json!("Linus Bauer\nKenji Mbeki"),
    );
    let operation = Operation::new("random", "Random values", "Values that a seed decides")
        .says(format!(
            "The same seed and parameters give the same values, today and in any later version; seeds make values \
             repeatable, not secret.\n\nWithout `type`, `length` or `alphabet` make it a `string`, `of` a `choice`, everything \
             else an `integer`. A `string` has {string} characters unless `length` says otherwise, a `hex` {hex}. Parameters \
             that the type does not have, and unknown ones, are refused. With `Accept: text/plain` the answer is the bare \
             values, one a line."
        ))
        .takes(query("type", "What kind of values.", json!({"type": "string", "enum": Kind::WORDS})))
        .takes(query("count", "How many.", json!({"type": "integer", "minimum": 1, "maximum": COUNT_MAX, "default": 1})))
        .takes(query("seed", "What decides them; drawn unless given.", json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": LARGEST})));
    own.into_iter()
        .fold(operation, |operation, (name, description, schema)| operation.takes(query(name, description, schema)))
        .takes(of)
        .replies(200, reply.with("Daybook-Seed"))
}

fn query(name: &str, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

fn integer(least: i64, most: i64, default: i64) -> Value {
    json!({"type": "integer", "format": "int64", "minimum": least, "maximum": most, "default": default})
}

pub(super) fn schemas() -> Value {
    json!({
        "RandomValues": {
            "type": "object",
            "required": ["type", "values", "seed"],
            "properties": {
                "type": {"type": "string", "enum": Kind::WORDS},
                "values": {
                    "type": "array", "minItems": 1, "maxItems": COUNT_MAX,
                    "items": {"type": ["number", "boolean", "string"]},
                },
                "seed": {"type": "integer", "format": "int64", "minimum": 0, "maximum": LARGEST},
            },
        },
    })
}
