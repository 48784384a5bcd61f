//! `from_iso8601_timestamp(text)`: an instant of any offset, in UTC, to the millisecond as on Trino.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{AsArray, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use chrono::{NaiveDate, NaiveTime};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::{TIMESTAMP, coerce, is_text, scalar};

/// The function. Text that is no such instant is an error, as on Trino; null stays null.
///
/// Trino's result has a time zone; here it is what Trino shows of it in UTC, so that it compares with `received_at`.
pub(crate) fn from_iso8601_timestamp() -> ScalarUDF {
    scalar(FromIso8601 { signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FromIso8601 {
    signature: Signature,
}

impl ScalarUDFImpl for FromIso8601 {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "from_iso8601_timestamp"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        coerce("from_iso8601_timestamp(varchar)", found, &[(is_text, DataType::Utf8)])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(TIMESTAMP)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [texts] = arrays.as_slice() else {
            return Err(DataFusionError::Internal("from_iso8601_timestamp takes one argument".to_owned()));
        };
        let texts: &StringArray = texts.as_string();
        let time = |text: Option<&str>| {
            let refused = |text| DataFusionError::Execution(format!("{text:.64} is not an ISO 8601 timestamp"));
            text.map(|text| micros(text).ok_or_else(|| refused(text))).transpose()
        };
        let times: TimestampMicrosecondArray = texts.iter().map(time).collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(times)))
    }
}

/// Microseconds since the epoch of `2026-11-20`, `2026-11-20T09:30`, `…:26.123`, with `Z`, `+01`, `+0100`, `+01:00` or
/// nothing, which is UTC.
fn micros(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once('T').unwrap_or((text, ""));
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let (time, offset_minutes) = match rest.find(['Z', '+', '-']) {
        Some(at) => (&rest[..at], offset(&rest[at..])?),
        None => (rest, 0),
    };
    let time = match time {
        "" if !text.contains('T') => NaiveTime::MIN,
        time => ["%H:%M:%S%.f", "%H:%M"].iter().find_map(|format| NaiveTime::parse_from_str(time, format).ok())?,
    };
    let millis = date.and_time(time).and_utc().timestamp_millis() - offset_minutes * 60_000;
    millis.checked_mul(1_000)
}

/// Minutes east of UTC.
fn offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text[1..].replacen(':', "", 1);
    let valid = matches!(digits.len(), 2 | 4) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes) = valid.then(|| digits.split_at(2))?;
    let minutes = if minutes.is_empty() { 0 } else { minutes.parse::<i64>().ok()? };
    Some(sign * (hours.parse::<i64>().ok()? * 60 + minutes))
}
