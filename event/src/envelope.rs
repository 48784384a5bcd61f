//! The event: one request, one line, one row. The list of columns below is the only one; everything else is made from it.

use serde_json::value::RawValue;

use crate::codec::{CodecError, Field};
use crate::column::{Column, ColumnType, Origin};
use crate::id::EventId;
use crate::time::Timestamp;

/// Declares the event's fields, the table's columns and the two directions of the codec from one list.
macro_rules! columns {
    (
        line { $( #[doc = $doc:literal] $name:ident: $type:ty = $kind:ident, $required:literal; )+ }
        compactor { $( #[doc = $cdoc:literal] $cname:ident = $ckind:ident, $crequired:literal; )+ }
    ) => {
        /// One request, as it is kept for ever.
        ///
        /// Fields stand in the order in which the line has them. `extra` holds the fields that this version does
        /// not know, in the order they were read: they survive a read and a write.
        #[derive(Debug, Clone, Default)]
        pub struct Event {
            $( #[doc = $doc] pub $name: $type, )+
            /// Fields of a later version: name and raw JSON value.
            pub extra: Vec<(String, Box<RawValue>)>,
        }

        /// Every column of the table `requests`, in the order of the line, the compactor's own last.
        pub const COLUMNS: &[Column] = &[
            $( Column {
                name: stringify!($name), kind: ColumnType::$kind, required: $required,
                origin: Origin::Line, meaning: trimmed($doc),
            }, )+
            $( Column {
                name: stringify!($cname), kind: ColumnType::$ckind, required: $crequired,
                origin: Origin::Compactor, meaning: trimmed($cdoc),
            }, )+
        ];

        impl Event {
            /// Writes every field that has a value as `"name":value`, separated by commas, except `without`; says where
            /// that would stand.
            pub(crate) fn write_fields(&self, out: &mut Vec<u8>, without: Option<&str>) -> usize {
                let mut left_out = out.len();
                $( if without == Some(stringify!($name)) {
                    left_out = out.len();
                } else {
                    self.$name.write_field(stringify!($name), out);
                } )+
                left_out
            }

            /// Sets the field called `name` from its JSON value; `None` if this version has no such field.
            pub(crate) fn read_field(&mut self, name: &str, json: &str) -> Option<Result<(), CodecError>> {
                Some(match name {
                    $( stringify!($name) => Field::read_field(json)
                        .map(|value| self.$name = value)
                        .map_err(|reason| CodecError::field(stringify!($name), reason)), )+
                    _ => return None,
                })
            }

            /// All line columns' values in the order of [`COLUMNS`].
            pub fn values(&self) -> [Option<Value<'_>>; LINE_COLUMNS] {
                [ $( self.$name.value(), )+ ]
            }
        }

        /// How many of [`COLUMNS`] are fields of the line.
        pub const LINE_COLUMNS: usize = [ $( stringify!($name), )+ ].len();
    };
}

/// Doc comments begin with the space that follows the slashes.
const fn trimmed(doc: &'static str) -> &'static str {
    doc.trim_ascii()
}

/// A column's value, borrowed from its event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A string column.
    String(&'a str),
    /// An event id: a string column, rendered on demand.
    Id(EventId),
    /// An int column.
    Int(i32),
    /// A bigint column.
    Bigint(i64),
    /// A double column.
    Double(f64),
    /// A boolean column.
    Boolean(bool),
    /// A timestamp column.
    Timestamp(Timestamp),
}

columns! {
    line {
        #[doc = " UUIDv7 made at receipt: identity and deduplication key (CloudEvents `id`)"]
        event_id: EventId = String, true;
        #[doc = " what happened: `data.submitted`, `task.created`, `request.read`, `request.rejected` …"]
        event_type: String = String, true;
        #[doc = " version of the line's meaning; adding a column does not change it"]
        schema_version: i32 = Int, true;
        #[doc = " first byte of handling, UTC; the table is partitioned by its day"]
        received_at: Timestamp = Timestamp, true;
        #[doc = " owner of the data, from the credential; `default` without one"]
        tenant: String = String, true;
        #[doc = " the gateway's id of the request, or Daybook's own on one machine"]
        request_id: String = String, true;
        #[doc = " 32 hex digits, from `traceparent`, else from `X-Amzn-Trace-Id`"]
        trace_id: Option<String> = String, false;
        #[doc = " `api_key`, `jwt`, `iam`, `custom` or `anonymous`"]
        actor_type: String = String, true;
        #[doc = " id of the principal"]
        actor_id: Option<String> = String, false;
        #[doc = " id of the API key, never the key"]
        api_key_id: Option<String> = String, false;
        #[doc = " who the request speaks for: `user_id` or `userId` of the body, else the JWT's subject"]
        user_id: Option<String> = String, false;
        #[doc = " the client's address"]
        client_ip: Option<String> = String, false;
        #[doc = " the client's `User-Agent`"]
        user_agent: Option<String> = String, false;
        #[doc = " the `Host` asked for"]
        host: Option<String> = String, false;
        #[doc = " HTTP version"]
        protocol: Option<String> = String, false;
        #[doc = " HTTP method; an unknown one is `_OTHER`"]
        method: String = String, true;
        #[doc = " route template such as `/tasks/{id}`; null if no route matched"]
        route: Option<String> = String, false;
        #[doc = " path as received, the stage removed"]
        path: String = String, true;
        #[doc = " query string, canonical and redacted"]
        query_string: Option<String> = String, false;
        #[doc = " the request's `Content-Type`"]
        request_content_type: Option<String> = String, false;
        #[doc = " allow-listed headers as JSON: `{\"name\": [\"v1\", \"v2\"]}`"]
        request_headers: Option<String> = String, false;
        #[doc = " size of the body received, bytes"]
        request_bytes: i64 = Bigint, true;
        #[doc = " the bytes received after redaction, never re-serialised"]
        request_body: Option<String> = String, false;
        #[doc = " `json`, `text`, `base64` (not UTF-8), `none`, `ref` or `omitted`"]
        request_body_encoding: String = String, true;
        #[doc = " SHA-256 of the bytes received, hex"]
        request_body_sha256: Option<String> = String, false;
        #[doc = " key of the `bodies/…` object where the body is over 64 KiB"]
        request_body_ref: Option<String> = String, false;
        #[doc = " HTTP status of the answer"]
        status: i32 = Int, true;
        #[doc = " receipt to response ready, milliseconds"]
        duration_ms: f64 = Double, true;
        #[doc = " size of the answer's body, bytes"]
        response_bytes: Option<i64> = Bigint, false;
        #[doc = " slug of the problem, where the request was refused or failed"]
        error_type: Option<String> = String, false;
        #[doc = " text of the problem"]
        error_detail: Option<String> = String, false;
        #[doc = " the request's `Idempotency-Key`"]
        idempotency_key: Option<String> = String, false;
        #[doc = " `first`, `replayed`, `in_flight` or `mismatch`"]
        idempotency_outcome: Option<String> = String, false;
        #[doc = " kind of the entity, such as `task`"]
        entity_type: Option<String> = String, false;
        #[doc = " id of the entity"]
        entity_id: Option<String> = String, false;
        #[doc = " the entity's version after this event, gapless from 1"]
        entity_version: Option<i64> = Bigint, false;
        #[doc = " `create`, `update`, `delete`, `read` or `list`"]
        operation: Option<String> = String, false;
        #[doc = " the domain event as JSON: what the fold consumes"]
        event_data: Option<String> = String, false;
        #[doc = " the entity after the event as JSON"]
        state_after: Option<String> = String, false;
        #[doc = " SHA-256 of the canonical state, hex; a replay must reproduce it"]
        state_hash: Option<String> = String, false;
        #[doc = " `event_hash` of the entity's previous change event"]
        prev_event_hash: Option<String> = String, false;
        #[doc = " SHA-256 of the event's own line without this field, hex"]
        event_hash: String = String, true;
        #[doc = " name of the service that received the request"]
        service: String = String, true;
        #[doc = " version of the service"]
        service_version: String = String, true;
        #[doc = " environment of the installation, such as `production`"]
        environment: String = String, true;
        #[doc = " cloud region"]
        region: Option<String> = String, false;
        #[doc = " id of the invocation that handled the request"]
        invocation_id: Option<String> = String, false;
        #[doc = " whether the invocation was the process's first"]
        cold_start: Option<bool> = Boolean, false;
        #[doc = " road into the log: `stream`, `direct`, `fallback`, `gateway`, `local` or `import`"]
        ingest_path: String = String, true;
    }
    compactor {
        #[doc = " key of the raw object that the row came from"]
        raw_object = String, false;
        #[doc = " when the row entered the table, UTC"]
        ingested_at = Timestamp, true;
    }
}
