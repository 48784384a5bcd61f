//! Trino's functions under Trino's names, for the SQL that both engines run.
//!
//! Each file is one family. Where Trino leaves a choice open (ties, which value is "any"), the shim chooses the same
//! value every time, however the rows were spread over threads.

mod by;
mod by_group;
mod count_if;
mod date_diff;
mod iso_time;
mod json;
mod json_path;
mod percentile;
mod time_parts;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::SessionContext;

/// The type that functions of instants take: what `received_at` is.
const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// Adds every shim to a session.
pub(crate) fn register(context: &SessionContext) {
    for function in [by::max_by(), by::min_by(), by::any_value(), count_if::count_if(), percentile::approx_percentile()]
    {
        context.register_udaf(function);
    }
    let scalars = json::functions().into_iter().chain(time_parts::functions());
    for function in scalars.chain([date_diff::date_diff(), iso_time::from_iso8601_timestamp()]) {
        context.register_udf(function);
    }
}

/// Text of any of Arrow's shapes, or an untyped null.
fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null)
}

/// An instant or a day, or an untyped null.
fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Null)
}

/// Refuses a call whose arguments have the wrong number or types.
fn misused(usage: &str, found: &[DataType]) -> DataFusionError {
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    DataFusionError::Plan(format!("expected {usage}, found ({})", found.join(", ")))
}

/// Whether an argument may be of a type.
type Accepts = fn(&DataType) -> bool;

/// Coerces arguments if their number and types are right.
fn coerce(usage: &str, found: &[DataType], expect: &[(Accepts, DataType)]) -> Result<Vec<DataType>> {
    let fits = found.len() == expect.len() && found.iter().zip(expect).all(|(found, (accepts, _))| accepts(found));
    if fits { Ok(expect.iter().map(|(_, target)| target.clone()).collect()) } else { Err(misused(usage, found)) }
}

fn scalar(function: impl datafusion::logical_expr::ScalarUDFImpl + 'static) -> ScalarUDF {
    ScalarUDF::new_from_impl(function)
}

fn aggregate(function: impl datafusion::logical_expr::AggregateUDFImpl + 'static) -> AggregateUDF {
    AggregateUDF::new_from_impl(function)
}
