//! `lag` of many short partitions: DataFusion keeps a state for each, here a row is compared with the one before.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, Scalar, new_null_array};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{concat, nullif, or};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::window::{StandardWindowExpr, WindowExpr};
use datafusion::physical_expr::{Distribution, OrderingRequirements, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowUDFExpr};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties};
use futures::StreamExt;

/// Puts [`Lag`] where a plan has nothing but `lag(x)` over partitions that come one behind the other.
#[derive(Debug)]
pub struct LagsByRow;

impl PhysicalOptimizerRule for LagsByRow {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            Ok(match Lag::of(&plan) {
                Some(lag) => Transformed::yes(Arc::new(lag) as _),
                None => Transformed::no(plan),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "lags_by_row"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The columns of its input, and for each of some expressions its value in the row before, null in a partition's first.
#[derive(Debug)]
struct Lag {
    /// What DataFusion planned: what comes out of it, and how, is the same.
    window: Arc<dyn ExecutionPlan>,
    partition_by: Vec<Arc<dyn PhysicalExpr>>,
    values: Vec<Arc<dyn PhysicalExpr>>,
}

impl Lag {
    fn of(plan: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        let window = plan.as_any().downcast_ref::<BoundedWindowAggExec>()?;
        let partition_by = window.window_expr().first()?.partition_by();
        let schema = window.input().schema();
        let comparable = |key: &Arc<dyn PhysicalExpr>| key.data_type(&schema).is_ok_and(|it| !it.is_nested());
        let sorted = window.input_order_mode == InputOrderMode::Sorted;
        if !sorted || partition_by.is_empty() || !partition_by.iter().all(comparable) {
            return None;
        }
        let values = window.window_expr().iter().map(|expr| lagged(expr.as_ref())).collect::<Option<_>>()?;
        Some(Self { window: Arc::clone(plan), partition_by: partition_by.to_vec(), values })
    }
}

/// The `x` of `lag(x)`; none of any other function, nor where nulls are passed over.
fn lagged(expr: &dyn WindowExpr) -> Option<Arc<dyn PhysicalExpr>> {
    let expr = expr.as_any().downcast_ref::<StandardWindowExpr>()?.get_standard_func_expr();
    let function = expr.as_any().downcast_ref::<WindowUDFExpr>()?;
    // A function that was turned round keeps the name that it had, and the name alone says what nulls are to it.
    let is_plain = expr.name().starts_with("lag(") && !expr.name().contains(" IGNORE NULLS");
    match function.args() {
        [value] if is_plain && function.fun().name() == "lag" => Some(Arc::clone(value)),
        _ => None,
    }
}

impl DisplayAs for Lag {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |exprs: &[Arc<dyn PhysicalExpr>]| exprs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "Lag: [{}], partition by [{}]", list(&self.values), list(&self.partition_by))
    }
}

impl ExecutionPlan for Lag {
    fn name(&self) -> &'static str {
        "Lag"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.window.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.window.children()
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        self.window.required_input_distribution()
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        self.window.required_input_ordering()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.window.maintains_input_order()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let window = Arc::clone(&self.window).with_new_children(children)?;
        Ok(Arc::new(Self { window, partition_by: self.partition_by.clone(), values: self.values.clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let [input] = self.window.children()[..] else {
            return datafusion::common::internal_err!("a window has one input");
        };
        let input = input.execute(partition, context)?;
        let mut rows = Rows {
            schema: self.schema(),
            partition_by: self.partition_by.clone(),
            values: self.values.clone(),
            last: None,
        };
        let output = input.map(move |batch| rows.with_lags(&batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), output)))
    }
}

/// What is to be known of the rows so far.
struct Rows {
    schema: SchemaRef,
    partition_by: Vec<Arc<dyn PhysicalExpr>>,
    values: Vec<Arc<dyn PhysicalExpr>>,
    /// Keys and values of the last row, one of each.
    last: Option<(Vec<ArrayRef>, Vec<ArrayRef>)>,
}

impl Rows {
    fn with_lags(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        }
        let (keys, values) = (evaluate(&self.partition_by, batch)?, evaluate(&self.values, batch)?);
        let (last_keys, last_values) = self.last.take().unzip();
        let starts = starts(&keys, last_keys.as_deref())?;
        let mut columns = batch.columns().to_vec();
        for (at, value) in values.iter().enumerate() {
            let before = match &last_values {
                Some(last) => Arc::clone(&last[at]),
                None => new_null_array(value.data_type(), 1),
            };
            columns.push(nullif(&concat(&[&before, &value.slice(0, rows - 1)])?, &starts)?);
        }
        let last = |columns: &[ArrayRef]| columns.iter().map(|column| column.slice(rows - 1, 1)).collect();
        self.last = Some((last(&keys), last(&values)));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

fn evaluate(exprs: &[Arc<dyn PhysicalExpr>], batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
    exprs.iter().map(|expr| expr.evaluate(batch)?.into_array(batch.num_rows())).collect()
}

/// Which rows begin a partition: those whose keys are not the keys of the row before, where one null is as another.
fn starts(keys: &[ArrayRef], last: Option<&[ArrayRef]>) -> Result<BooleanArray> {
    let rows = keys.first().map_or(0, |key| key.len());
    let mut within = BooleanArray::from(vec![false; rows - 1]);
    let mut first = last.is_none();
    for (at, key) in keys.iter().enumerate() {
        within = or(&within, &distinct(&key.slice(1, rows - 1), &key.slice(0, rows - 1))?)?;
        if let Some(last) = last {
            first |= distinct(&Scalar::new(key.slice(0, 1)), &Scalar::new(Arc::clone(&last[at])))?.value(0);
        }
    }
    Ok(std::iter::once(Some(first)).chain(within.iter()).collect())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use proptest::prelude::*;

    use super::*;

    /// Two keys, a time, a value.
    type Row = (Option<String>, Option<i64>, i64, Option<String>);

    fn table(rows: &[Row]) -> MemTable {
        // No two times are alike: the order is total.
        let times = rows.iter().enumerate().map(|(number, row)| row.2 * 1_000 + i64::try_from(number).unwrap());
        let columns: [(&str, ArrayRef); 4] = [
            ("a", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.0.as_deref())))),
            ("b", Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.1)))),
            ("at", Arc::new(Int64Array::from_iter_values(times))),
            ("x", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.3.as_deref())))),
        ];
        let columns = columns.map(|(name, column)| (name, column, true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap()
    }

    /// The plan of a statement over the rows, and its answer.
    async fn ask(rows: &[Row], sql: &str, by_row: bool) -> (String, String) {
        let config = SessionConfig::new().with_batch_size(5).with_target_partitions(2);
        let mut state = SessionStateBuilder::new_with_default_features().with_config(config);
        if by_row {
            state = state.with_physical_optimizer_rule(Arc::new(LagsByRow));
        }
        let context = SessionContext::new_with_state(state.build());
        context.register_table("t", Arc::new(table(rows))).unwrap();
        let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        let text = displayable(plan.as_ref()).indent(false).to_string();
        let batches = datafusion::physical_plan::collect(plan, context.task_ctx()).await.unwrap();
        (text, pretty_format_batches(&batches).unwrap().to_string())
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let key = prop::option::of("[ab]");
        let value = prop::option::of("[a-z]{0,20}");
        prop::collection::vec((key, prop::option::of(0_i64..3), 0_i64..9, value), 0..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn is_what_datafusion_computes(rows in rows()) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                for over in ["a order by at", "a, b order by at desc", "b, a order by x, at"] {
                    let over = format!("over (partition by {over})");
                    let lags = format!("lag(x) {over} lx, lag(b) {over} lb, lag(at + 1) {over} la");
                    let sql = format!("select *, {lags} from t order by at");
                    let (plan, answer) = ask(&rows, &sql, true).await;
                    prop_assert!(plan.contains("Lag: ["), "{plan}");
                    prop_assert_eq!(answer, ask(&rows, &sql, false).await.1, "{}", sql);
                }
                Ok(())
            })?;
        }
    }

    #[tokio::test]
    async fn other_windows_stay_what_they_are() {
        let rows: Vec<Row> =
            (0..20).map(|at| (Some("a".to_owned()), Some(at % 3), at, (at % 4 > 0).then(|| at.to_string()))).collect();
        for window in [
            "lag(x, 2) over (partition by b order by at)",
            "lag(x, 1, '-') over (partition by b order by at)",
            "lag(x) ignore nulls over (partition by b order by at)",
            "lead(x) over (partition by b order by at)",
            "lag(x) over (order by at)",
            "lag(x) over (partition by struct(a, x) order by at)",
            "first_value(x) over (partition by b order by at)",
            "lag(at) over (partition by b order by at) + count(*) over (partition by b order by at)",
        ] {
            let sql = format!("select *, {window} as w from t order by at");
            let (plan, answer) = ask(&rows, &sql, true).await;
            assert!(!plan.contains("Lag: ["), "{window}\n{plan}");
            assert_eq!(answer, ask(&rows, &sql, false).await.1, "{window}");
        }
    }
}
