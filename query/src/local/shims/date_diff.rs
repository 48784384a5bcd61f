//! `date_diff(unit, from, to)`: whole units from one instant to another, towards zero.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use chrono::{DateTime, Months, NaiveDateTime};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::{Accepts, TIMESTAMP, coerce, is_text, is_time, scalar};

/// The function. Instants count to the millisecond, as on Trino.
pub(crate) fn date_diff() -> ScalarUDF {
    scalar(DateDiff { signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateDiff {
    signature: Signature,
}

impl ScalarUDFImpl for DateDiff {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "date_diff"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        let expect: [(Accepts, DataType); 3] = [(is_text, DataType::Utf8), (is_time, TIMESTAMP), (is_time, TIMESTAMP)];
        coerce("date_diff(unit, timestamp, timestamp)", found, &expect)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [units, from, to] = arrays.as_slice() else {
            return Err(DataFusionError::Internal("date_diff takes three arguments".to_owned()));
        };
        let units: &StringArray = units.as_string();
        let from = from.as_primitive::<TimestampMicrosecondType>();
        let to = to.as_primitive::<TimestampMicrosecondType>();
        let difference = |row: usize| {
            if units.is_null(row) || from.is_null(row) || to.is_null(row) {
                return Ok(None);
            }
            let (from, to) = (from.value(row).div_euclid(1_000), to.value(row).div_euclid(1_000));
            whole_units(units.value(row), from, to).map(Some).map_err(DataFusionError::Execution)
        };
        let differences: Int64Array = (0..units.len()).map(difference).collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(differences)))
    }
}

/// Whole units from `from` to `to`, both in milliseconds since the epoch.
fn whole_units(unit: &str, from: i64, to: i64) -> std::result::Result<i64, String> {
    let millis = to.saturating_sub(from);
    match unit.to_ascii_lowercase().as_str() {
        "millisecond" => Ok(millis),
        "second" => Ok(millis / 1_000),
        "minute" => Ok(millis / 60_000),
        "hour" => Ok(millis / 3_600_000),
        "day" => Ok(millis / 86_400_000),
        "week" => Ok(millis / (7 * 86_400_000)),
        "month" => whole_months(from, to),
        "quarter" => Ok(whole_months(from, to)? / 3),
        "year" => Ok(whole_months(from, to)? / 12),
        _ => Err(format!("{unit:.64} is not a unit of date_diff")),
    }
}

fn whole_months(from: i64, to: i64) -> std::result::Result<i64, String> {
    if to < from {
        return whole_months_back(from, to);
    }
    let (from, to) = (moment(from)?, moment(to)?);
    let months = calendar_months(from, to);
    // The last month counts only once its day and time of day are reached.
    let whole = from.checked_add_months(months_of(months)).is_some_and(|reached| reached <= to);
    Ok(if whole { months } else { months - 1 })
}

fn whole_months_back(from: i64, to: i64) -> std::result::Result<i64, String> {
    let (from, to) = (moment(from)?, moment(to)?);
    let months = calendar_months(to, from);
    let whole = from.checked_sub_months(months_of(months)).is_some_and(|reached| reached >= to);
    Ok(-(if whole { months } else { months - 1 }))
}

fn calendar_months(from: NaiveDateTime, to: NaiveDateTime) -> i64 {
    use chrono::Datelike;
    i64::from(to.year() - from.year()) * 12 + i64::from(to.month()) - i64::from(from.month())
}

fn months_of(count: i64) -> Months {
    Months::new(u32::try_from(count).unwrap_or_default())
}

fn moment(millis: i64) -> std::result::Result<NaiveDateTime, String> {
    DateTime::from_timestamp_millis(millis).map(|time| time.naive_utc()).ok_or("the time is out of range".to_owned())
}
