//! `approx_percentile(x, percentage)`: exact for small groups, within a t-digest's error for large ones.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::approx_percentile_cont::ApproxPercentileAccumulator;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::physical_expr::expressions::Literal;

use super::{aggregate, misused};

/// How many values of a group are kept as they are: 512 KiB.
const EXACT: usize = 65_536;
/// The number of centroids beyond that.
const CENTROIDS: usize = 1_000;
/// The place of the count in a digest's state.
const COUNT: usize = 2;

/// The function, of the type of `x`; null values do not count; null where there are no values.
///
/// Up to 65,536 values a group it is the value at place ⌊percentage × count⌋ of the sorted values, counted from 0 and
/// at most the last: what Trino's own digest gives while it has merged nothing. Beyond that, a t-digest's estimate.
pub(crate) fn approx_percentile() -> AggregateUDF {
    aggregate(ApproxPercentile { signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ApproxPercentile {
    signature: Signature,
}

impl AggregateUDFImpl for ApproxPercentile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "approx_percentile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        match found {
            [x, percentage] if x.is_numeric() && percentage.is_numeric() => {
                let x = if x.is_integer() { DataType::Int64 } else { DataType::Float64 };
                Ok(vec![x, DataType::Float64])
            }
            _ => Err(misused("approx_percentile(number, percentage)", found)),
        }
    }

    fn return_type(&self, found: &[DataType]) -> Result<DataType> {
        found.first().cloned().ok_or_else(|| misused("approx_percentile", found))
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let list = || DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)));
        let field = |name: &str, kind| -> FieldRef { Arc::new(Field::new(name, kind, true)) };
        Ok(vec![
            field("values", list()),
            field("max_size", DataType::UInt64),
            field("sum", DataType::Float64),
            field("count", DataType::Float64),
            field("max", DataType::Float64),
            field("min", DataType::Float64),
            field("centroids", list()),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let literal = args.exprs.get(1).and_then(|expr| expr.as_any().downcast_ref::<Literal>());
        match literal.map(Literal::value) {
            Some(ScalarValue::Float64(Some(percentage))) if (0.0..=1.0).contains(percentage) => {
                let kind = args.return_field.data_type().clone();
                Ok(Box::new(Percentile { percentage: *percentage, kind, values: Vec::new(), digest: None }))
            }
            _ => Err(DataFusionError::Plan("approx_percentile takes a constant percentage from 0 to 1".to_owned())),
        }
    }
}

/// A group's values, or the digest that they became.
#[derive(Debug)]
struct Percentile {
    percentage: f64,
    kind: DataType,
    values: Vec<f64>,
    digest: Option<ApproxPercentileAccumulator>,
}

impl Percentile {
    fn add(&mut self, numbers: &Float64Array) -> Result<()> {
        self.values.extend(numbers.iter().flatten());
        if self.values.len() > EXACT { self.fold() } else { Ok(()) }
    }

    /// The digest, made now if there is none yet.
    fn digest(&mut self) -> &mut ApproxPercentileAccumulator {
        let percentage = self.percentage;
        self.digest.get_or_insert_with(|| Self::empty_digest(percentage))
    }

    fn empty_digest(percentage: f64) -> ApproxPercentileAccumulator {
        ApproxPercentileAccumulator::new_with_max_size(percentage, DataType::Float64, CENTROIDS)
    }

    fn fold(&mut self) -> Result<()> {
        let values = Float64Array::from(std::mem::take(&mut self.values));
        self.digest().update_batch(&[Arc::new(values)])
    }

    /// Adds another group's digest: one row of the columns of a digest's state.
    fn add_digest(&mut self, state: &[ArrayRef]) -> Result<()> {
        let is_empty = state.get(COUNT).is_none_or(|count| count.as_primitive::<Float64Type>().value(0) == 0.0);
        if is_empty { Ok(()) } else { self.digest().merge_batch(state) }
    }

    fn value(&mut self) -> Result<Option<f64>> {
        if self.digest.is_some() {
            self.fold()?;
        }
        if let Some(digest) = &mut self.digest {
            return Ok(match digest.evaluate()? {
                ScalarValue::Float64(estimate) => estimate,
                _ => None,
            });
        }
        let Some(last) = self.values.len().checked_sub(1) else { return Ok(None) };
        // Truncation is the floor that is meant: the product is neither negative nor beyond the count.
        let place = ((self.percentage * self.values.len() as f64) as usize).min(last);
        let (_, value, _) = self.values.select_nth_unstable_by(place, f64::total_cmp);
        Ok(Some(*value))
    }
}

impl Accumulator for Percentile {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(numbers) = values.first() else { return Ok(()) };
        self.add(cast(numbers, &DataType::Float64)?.as_primitive::<Float64Type>())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = self.value()?;
        Ok(match self.kind {
            DataType::Int64 => ScalarValue::Int64(value.map(|value| value.round() as i64)),
            _ => ScalarValue::Float64(value),
        })
    }

    fn size(&self) -> usize {
        let digest = self.digest.as_ref().map_or(0, Accumulator::size);
        size_of_val(self) + self.values.capacity() * size_of::<f64>() + digest
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = Float64Array::from(std::mem::take(&mut self.values));
        let values = SingleRowListArrayBuilder::new(Arc::new(values)).with_nullable(true).build_list_scalar();
        let mut digest = self.digest.take().unwrap_or_else(|| Self::empty_digest(self.percentage));
        Ok(std::iter::once(values).chain(digest.state()?).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some((values, digests)) = states.split_first() else { return Ok(()) };
        for row in 0..values.len() {
            self.add(values.as_list::<i32>().value(row).as_primitive::<Float64Type>())?;
            let digest: Vec<ArrayRef> = digests.iter().map(|column| column.slice(row, 1)).collect();
            self.add_digest(&digest)?;
        }
        Ok(())
    }
}
