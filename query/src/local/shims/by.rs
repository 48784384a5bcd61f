//! `max_by(x, y)`, `min_by(x, y)` and `any_value(x)`: the `x` of the row with the extreme `y`.

use std::any::Any;
use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};

use super::by_group::BestOfGroups;
use super::{aggregate, misused};

/// The `x` of the greatest `y`, which may be null; rows whose `y` is null do not count.
/// Where several rows tie, the greatest `x` of them; Trino leaves that open.
pub(crate) fn max_by() -> AggregateUDF {
    By::function("max_by", Ordering::Greater, 2)
}

/// The `x` of the least `y`, which may be null; rows whose `y` is null do not count.
/// Where several rows tie, the least `x` of them that is not null; Trino leaves that open.
pub(crate) fn min_by() -> AggregateUDF {
    By::function("min_by", Ordering::Less, 2)
}

/// The least `x` that is not null; Trino leaves open which.
pub(crate) fn any_value() -> AggregateUDF {
    By::function("any_value", Ordering::Less, 1)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct By {
    name: &'static str,
    /// How a better `y` compares with the best so far.
    better: Ordering,
    arguments: usize,
    signature: Signature,
}

impl By {
    fn function(name: &'static str, better: Ordering, arguments: usize) -> AggregateUDF {
        aggregate(Self { name, better, arguments, signature: Signature::user_defined(Volatility::Immutable) })
    }
}

impl AggregateUDFImpl for By {
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
        if found.len() == self.arguments {
            return Ok(found.to_vec());
        }
        Err(misused(if self.arguments == 1 { "any_value(x)" } else { "max_by(x, y) or min_by(x, y)" }, found))
    }

    fn return_type(&self, found: &[DataType]) -> Result<DataType> {
        found.first().cloned().ok_or_else(|| misused(self.name, found))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let kinds = args.input_fields.iter().map(|field| field.data_type().clone());
        Ok(kinds.zip(["x", "y"]).map(|(kind, name)| Arc::new(Field::new(name, kind, true)) as FieldRef).collect())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let null = |field: &FieldRef| ScalarValue::try_from(field.data_type());
        let nothing = args.expr_fields.iter().map(null).collect::<Result<_>>()?;
        Ok(Box::new(Best { better: self.better, nothing, found: None }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        // Rows of sortable bytes do not give dictionaries back.
        !args.expr_fields.iter().any(|field| matches!(field.data_type(), DataType::Dictionary(..)))
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let kinds: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Box::new(BestOfGroups::new(self.better, &kinds)?))
    }
}

/// The best row so far.
#[derive(Debug)]
struct Best {
    better: Ordering,
    /// A typed null for each argument: the state while no row counts.
    nothing: Vec<ScalarValue>,
    found: Option<(ScalarValue, ScalarValue)>,
}

impl Best {
    /// Takes the best row of a batch, if it is better than the one found.
    fn take(&mut self, x: &ArrayRef, y: &ArrayRef) -> Result<()> {
        let Some(row) = self.best_row(x, y)? else { return Ok(()) };
        let (x, y) = (ScalarValue::try_from_array(x, row)?, ScalarValue::try_from_array(y, row)?);
        let replace = match &self.found {
            None => true,
            Some((best_x, best_y)) => self.beats((&x, &y), (best_x, best_y)),
        };
        if replace {
            self.found = Some((x.compacted(), y.compacted()));
        }
        Ok(())
    }

    fn best_row(&self, x: &ArrayRef, y: &ArrayRef) -> Result<Option<usize>> {
        let compare_y = make_comparator(y, y, SortOptions::default())?;
        let compare_x = make_comparator(x, x, self.null_loses())?;
        let mut best: Option<usize> = None;
        for row in (0..y.len()).filter(|row| !y.is_null(*row)) {
            let replace =
                best.is_none_or(|best| compare_y(row, best).then_with(|| compare_x(row, best)) == self.better);
            if replace {
                best = Some(row);
            }
        }
        Ok(best)
    }

    /// Among ties a null `x` comes last, whichever end is wanted.
    fn null_loses(&self) -> SortOptions {
        SortOptions { descending: false, nulls_first: self.better == Ordering::Greater }
    }

    fn beats(&self, row: (&ScalarValue, &ScalarValue), best: (&ScalarValue, &ScalarValue)) -> bool {
        match row.1.partial_cmp(best.1) {
            Some(Ordering::Equal) if row.0.is_null() => false,
            Some(Ordering::Equal) if best.0.is_null() => true,
            Some(Ordering::Equal) => row.0.partial_cmp(best.0) == Some(self.better),
            order => order == Some(self.better),
        }
    }
}

impl Accumulator for Best {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        match values {
            [x] => self.take(x, x),
            [x, y] => self.take(x, y),
            _ => Err(DataFusionError::Internal("an aggregate with arguments missing".to_owned())),
        }
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match (&self.found, self.nothing.first()) {
            (Some((x, _)), _) => Ok(x.clone()),
            (None, null) => Ok(null.cloned().unwrap_or(ScalarValue::Null)),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.found.as_ref().map_or(0, |(x, y)| x.size() + y.size())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Some((x, y)) = &self.found else { return Ok(self.nothing.clone()) };
        Ok([x, y].into_iter().take(self.nothing.len()).cloned().collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}
