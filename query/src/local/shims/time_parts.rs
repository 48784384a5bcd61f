//! The parts of an instant: `year`, `month`, `day`, `hour` …, and its day: `date`.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::{CastOptions, DatePart, cast, cast_with_options, date_part};
use arrow::datatypes::{DataType, Int32Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::{TIMESTAMP, coerce, is_text, is_time, scalar};

/// The family. Parts are bigint; weeks and days of the week are ISO's, Monday is 1.
pub(crate) fn functions() -> Vec<ScalarUDF> {
    let signature = || Signature::user_defined(Volatility::Immutable);
    let part = |(name, part)| scalar(Function { name, kind: Kind::Part(part), signature: signature() });
    let mut functions: Vec<ScalarUDF> = PARTS.iter().copied().map(part).collect();
    functions.push(scalar(Function { name: "date", kind: Kind::Date, signature: signature() }));
    functions
}

const PARTS: [(&str, Part); 14] = [
    ("year", Part::Arrow(DatePart::Year, 0)),
    ("quarter", Part::Arrow(DatePart::Quarter, 0)),
    ("month", Part::Arrow(DatePart::Month, 0)),
    ("week", Part::Arrow(DatePart::Week, 0)),
    ("day", Part::Arrow(DatePart::Day, 0)),
    ("day_of_month", Part::Arrow(DatePart::Day, 0)),
    ("day_of_week", Part::Arrow(DatePart::DayOfWeekMonday0, 1)),
    ("dow", Part::Arrow(DatePart::DayOfWeekMonday0, 1)),
    ("day_of_year", Part::Arrow(DatePart::DayOfYear, 0)),
    ("doy", Part::Arrow(DatePart::DayOfYear, 0)),
    ("hour", Part::Arrow(DatePart::Hour, 0)),
    ("minute", Part::Arrow(DatePart::Minute, 0)),
    ("second", Part::Arrow(DatePart::Second, 0)),
    ("millisecond", Part::Millisecond),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Arrow's part, and what to add to it.
    Arrow(DatePart, i64),
    /// Of the second, 0 to 999.
    Millisecond,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Part(Part),
    Date,
}

#[derive(Debug)]
struct Function {
    name: &'static str,
    kind: Kind,
    signature: Signature,
}

/// The name tells the functions of this family apart.
impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        match (self.kind, found) {
            (Kind::Date, [text]) if is_text(text) => Ok(vec![DataType::Utf8]),
            _ => coerce(&format!("{}(timestamp)", self.name), found, &[(is_time, TIMESTAMP)]),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        match self.kind {
            Kind::Part(_) => Ok(DataType::Int64),
            Kind::Date => Ok(DataType::Date32),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = args.args.as_slice() else {
            return Err(DataFusionError::Internal(format!("{} takes one argument", self.name)));
        };
        let values = value.to_array(args.number_rows)?;
        let result = match self.kind {
            Kind::Part(part) => part.of(&values)?,
            // A text that is no day is an error, as on Trino.
            Kind::Date => {
                let strict = CastOptions { safe: false, ..CastOptions::default() };
                cast_with_options(&values, &DataType::Date32, &strict)?
            }
        };
        Ok(ColumnarValue::Array(result))
    }
}

impl Part {
    fn of(self, times: &ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
        match self {
            Self::Arrow(part, 0) => cast(&date_part(times, part)?, &DataType::Int64),
            Self::Arrow(part, offset) => {
                let parts = date_part(times, part)?;
                let parts: Int64Array = parts.as_primitive::<Int32Type>().unary(|part| i64::from(part) + offset);
                Ok(Arc::new(parts))
            }
            Self::Millisecond => {
                let times = times.as_primitive::<TimestampMicrosecondType>();
                let parts: Int64Array = times.unary(|micros| micros.div_euclid(1_000).rem_euclid(1_000));
                Ok(Arc::new(parts))
            }
        }
    }
}
