//! The same as [`super::by`], for many groups at once.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, new_null_array};
use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

/// The best row of each group, as bytes that sort as `(y, x)` does.
pub(super) struct BestOfGroups {
    better: Ordering,
    /// 2, or 1 where `x` is `y`, too.
    arguments: usize,
    converter: RowConverter,
    /// What stands for a group in which no row counts.
    nothing: Box<[u8]>,
    best: Vec<Option<Box<[u8]>>>,
    bytes: usize,
}

impl BestOfGroups {
    /// For arguments of these types.
    ///
    /// # Errors
    /// A type has no order.
    pub(super) fn new(better: Ordering, arguments: &[DataType]) -> Result<Self> {
        let (Some(x), Some(y)) = (arguments.first(), arguments.last()) else { return Err(missing()) };
        // Among ties a null `x` comes last, whichever end is wanted.
        let null_loses = SortOptions { descending: false, nulls_first: better == Ordering::Greater };
        let fields = vec![SortField::new(y.clone()), SortField::new_with_options(x.clone(), null_loses)];
        let converter = RowConverter::new(fields)?;
        let nothing = converter.convert_columns(&[new_null_array(y, 1), new_null_array(x, 1)])?;
        let nothing = nothing.row(0).as_ref().into();
        Ok(Self { better, arguments: arguments.len(), converter, nothing, best: Vec::new(), bytes: 0 })
    }

    /// `y` and `x` of the groups that are to be given away.
    fn emit(&mut self, groups: EmitTo) -> Result<Vec<ArrayRef>> {
        let best = groups.take_needed(&mut self.best);
        self.bytes -= best.iter().flatten().map(|row| row.len()).sum::<usize>();
        let parser = self.converter.parser();
        let rows = best.iter().map(|row| parser.parse(row.as_deref().unwrap_or(&self.nothing)));
        Ok(self.converter.convert_rows(rows)?)
    }
}

impl GroupsAccumulator for BestOfGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        let (Some(x), Some(y)) = (values.first(), values.last()) else { return Err(missing()) };
        self.best.resize(count, None);
        let rows = self.converter.convert_columns(&[Arc::clone(y), Arc::clone(x)])?;
        for (index, (row, group)) in rows.iter().zip(groups).enumerate() {
            if y.is_null(index) || filter.is_some_and(|filter| filter.is_null(index) || !filter.value(index)) {
                continue;
            }
            let (row, best) = (row.as_ref(), &mut self.best[*group]);
            if best.as_deref().is_none_or(|best| row.cmp(best) == self.better) {
                self.bytes += row.len();
                self.bytes -= best.replace(row.into()).map_or(0, |replaced| replaced.len());
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, groups: EmitTo) -> Result<ArrayRef> {
        self.emit(groups)?.pop().ok_or_else(missing)
    }

    fn state(&mut self, groups: EmitTo) -> Result<Vec<ArrayRef>> {
        let mut state = self.emit(groups)?;
        state.reverse();
        state.truncate(self.arguments);
        Ok(state)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.update_batch(states, groups, filter, count)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes + self.best.capacity() * size_of::<Option<Box<[u8]>>>()
    }
}

fn missing() -> DataFusionError {
    DataFusionError::Internal("an aggregate with arguments missing".to_owned())
}
