//! `json_extract_scalar` and `json_extract`, on JSON that is kept as text.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use serde::de::{Deserializer, Visitor};

use super::json_path::JsonPath;
use super::{coerce, is_text, scalar};

/// The family: both functions take `(json varchar, path varchar)` and give text.
pub(crate) fn functions() -> [ScalarUDF; 2] {
    [JsonExtract::Scalar, JsonExtract::Value].map(|function| scalar(Function(function, signature())))
}

fn signature() -> Signature {
    Signature::user_defined(Volatility::Immutable)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum JsonExtract {
    /// A string's content; a number's digits and a truth value as they stand; null for anything else.
    Scalar,
    /// Any value as JSON text without the spaces between its tokens.
    Value,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Function(JsonExtract, Signature);

impl ScalarUDFImpl for Function {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        match self.0 {
            JsonExtract::Scalar => "json_extract_scalar",
            JsonExtract::Value => "json_extract",
        }
    }

    fn signature(&self) -> &Signature {
        &self.1
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        let usage = format!("{}(varchar, varchar)", self.name());
        coerce(&usage, found, &[(is_text, DataType::Utf8), (is_text, DataType::Utf8)])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [json, path] = args.args.as_slice() else {
            return Err(DataFusionError::Internal("a JSON function takes two arguments".to_owned()));
        };
        match (json, path) {
            (_, ColumnarValue::Scalar(ScalarValue::Utf8(None))) => Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None))),
            (json, ColumnarValue::Scalar(ScalarValue::Utf8(Some(path)))) => {
                let path = JsonPath::parse(path).map_err(DataFusionError::Execution)?;
                self.0.column(&json.to_array(args.number_rows)?, |_| Ok(Some(Cow::Borrowed(&path))))
            }
            (json, path) => {
                let paths = path.to_array(args.number_rows)?;
                let paths: &StringArray = paths.as_string();
                self.0.column(&json.to_array(args.number_rows)?, |row| {
                    let text = (!paths.is_null(row)).then(|| paths.value(row));
                    text.map(|text| JsonPath::parse(text).map(Cow::Owned)).transpose()
                })
            }
        }
    }
}

impl JsonExtract {
    fn column<'p>(
        self,
        json: &dyn Array,
        path: impl Fn(usize) -> std::result::Result<Option<Cow<'p, JsonPath>>, String>,
    ) -> Result<ColumnarValue> {
        let json: &StringArray = json.as_string();
        let mut out = StringBuilder::new();
        for (row, text) in json.iter().enumerate() {
            let path = path(row).map_err(DataFusionError::Execution)?;
            let raw = text.zip(path).and_then(|(text, path)| path.find(text));
            out.append_option(raw.and_then(|raw| self.text(raw)));
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }

    fn text(self, raw: &str) -> Option<Cow<'_, str>> {
        match (self, raw.as_bytes().first()?) {
            (Self::Value, _) => Some(Cow::Owned(compact(raw))),
            (Self::Scalar, b'{' | b'[' | b'n') => None,
            (Self::Scalar, b'"') => content(raw).map(Cow::Owned),
            (Self::Scalar, _) => Some(Cow::Borrowed(raw)),
        }
    }
}

/// What a JSON string says. Half of a surrogate pair, which no text can hold, is a question mark, as on Trino.
fn content(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok().or_else(|| {
        let bytes = serde_json::Deserializer::from_str(raw).deserialize_bytes(ContentBytes).ok()?;
        String::from_utf8(without_halves(&bytes)).ok()
    })
}

/// Takes a string as bytes, in which serde_json leaves such halves as if they were characters.
struct ContentBytes;

impl Visitor<'_> for ContentBytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> std::result::Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}

/// Each of them is three bytes, which begin as no character does.
fn without_halves(bytes: &[u8]) -> Vec<u8> {
    let (mut text, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    loop {
        let (byte, after) = match rest {
            [] => return text,
            [0xed, 0xa0..=0xbf, _, after @ ..] => (b'?', after),
            [byte, after @ ..] => (*byte, after),
        };
        text.push(byte);
        rest = after;
    }
}

/// Leaves out the white space between the tokens of valid JSON.
fn compact(raw: &str) -> String {
    let mut in_text = false;
    let mut escaped = false;
    raw.chars()
        .filter(|character| {
            let keep = in_text || !character.is_ascii_whitespace();
            match character {
                '"' if !escaped => in_text = !in_text,
                _ => {}
            }
            escaped = in_text && *character == '\\' && !escaped;
            keep
        })
        .collect()
}
