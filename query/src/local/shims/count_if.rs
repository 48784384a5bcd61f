//! `count_if(condition)`: how many rows it is true for.

use std::any::Any;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::sum;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility, when};
use datafusion::prelude::lit;

use super::aggregate;

/// The function: bigint, 0 where there are no rows; null counts as false.
pub(crate) fn count_if() -> AggregateUDF {
    aggregate(CountIf { signature: Signature::exact(vec![DataType::Boolean], Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CountIf {
    signature: Signature,
}

impl AggregateUDFImpl for CountIf {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "count_if"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(0)))
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Counter { count: 0 }))
    }

    /// Becomes `count(case when condition then 1 end)`, which DataFusion counts group by group in one pass.
    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        Some(Box::new(|call: AggregateFunction, _| {
            let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = call.params;
            let condition = args.into_iter().next().unwrap_or_else(|| lit(false));
            let counted = vec![when(condition, lit(1_i64)).end()?];
            let count = AggregateFunction::new_udf(count_udaf(), counted, distinct, filter, order_by, null_treatment);
            Ok(Expr::AggregateFunction(count))
        }))
    }
}

/// Counts where the call is not simplified: as a window function.
#[derive(Debug)]
struct Counter {
    count: i64,
}

impl Accumulator for Counter {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for conditions in values {
            self.count += i64::try_from(conditions.as_boolean().true_count()).unwrap_or(i64::MAX);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(self.count)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for counts in states {
            self.count += sum(counts.as_primitive::<Int64Type>()).unwrap_or(0);
        }
        Ok(())
    }
}
