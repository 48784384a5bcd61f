//! The same as [`super::by`], for many groups at once.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array, make_comparator, new_null_array};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

/// The best row of each group. Of a batch's rows only the best of each group have their `x` read.
pub(super) struct BestOfGroups {
    better: Ordering,
    /// 2, or 1 where `x` is `y`, too.
    arguments: usize,
    y: Side,
    x: Side,
    best: Vec<Option<Best>>,
    /// The row of the batch under way that is the best of its group, as far as its `y` tells.
    ahead: Vec<Option<u32>>,
    bytes: usize,
}

/// One argument's values as bytes that sort as they do.
struct Side {
    converter: RowConverter,
    /// What stands for a group in which no row counts.
    nothing: Box<[u8]>,
}

/// The values of a row, as bytes.
#[derive(Clone)]
struct Best {
    y: Box<[u8]>,
    x: Box<[u8]>,
}

impl Side {
    fn new(kind: &DataType, order: SortOptions) -> Result<Self> {
        let converter = RowConverter::new(vec![SortField::new_with_options(kind.clone(), order)])?;
        let nothing = converter.convert_columns(&[new_null_array(kind, 1)])?.row(0).as_ref().into();
        Ok(Self { converter, nothing })
    }

    fn bytes(&self, values: &ArrayRef) -> Result<Rows> {
        Ok(self.converter.convert_columns(std::slice::from_ref(values))?)
    }

    fn values<'a>(&self, rows: impl Iterator<Item = Option<&'a [u8]>>) -> Result<ArrayRef> {
        let parser = self.converter.parser();
        let rows = rows.map(|row| parser.parse(row.unwrap_or(&self.nothing)));
        self.converter.convert_rows(rows)?.pop().ok_or_else(missing)
    }
}

impl Best {
    fn len(&self) -> usize {
        self.y.len() + self.x.len()
    }
}

/// Among ties a null `x` comes last, whichever end is wanted.
fn null_loses(better: Ordering) -> SortOptions {
    SortOptions { descending: false, nulls_first: better == Ordering::Greater }
}

impl BestOfGroups {
    /// For arguments of these types.
    ///
    /// # Errors
    /// A type has no order.
    pub(super) fn new(better: Ordering, arguments: &[DataType]) -> Result<Self> {
        let (Some(x), Some(y)) = (arguments.first(), arguments.last()) else { return Err(missing()) };
        let (y, x) = (Side::new(y, SortOptions::default())?, Side::new(x, null_loses(better))?);
        Ok(Self { better, arguments: arguments.len(), y, x, best: Vec::new(), ahead: Vec::new(), bytes: 0 })
    }

    /// `x` and `y` of the groups that are to be given away.
    fn emit(&mut self, groups: EmitTo) -> Result<[ArrayRef; 2]> {
        let best = groups.take_needed(&mut self.best);
        self.bytes -= best.iter().flatten().map(Best::len).sum::<usize>();
        let x = self.x.values(best.iter().map(|best| best.as_ref().map(|best| &*best.x)))?;
        let y = self.y.values(best.iter().map(|best| best.as_ref().map(|best| &*best.y)))?;
        Ok([x, y])
    }

    /// The groups that have a row in this batch which may be better than what they have, and that row, in `ahead`.
    fn look_ahead(
        &mut self,
        (x, y, ys): (&ArrayRef, &ArrayRef, &Rows),
        groups: &[usize],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<usize>> {
        let compare_x = make_comparator(x, x, null_loses(self.better))?;
        let left_out = |row| y.is_null(row) || filter.is_some_and(|filter| filter.is_null(row) || !filter.value(row));
        let mut found = Vec::new();
        for (row, group) in groups.iter().enumerate().filter(|(row, _)| !left_out(*row)) {
            let own = ys.row(row);
            let wins = match (self.ahead[*group], &self.best[*group]) {
                (Some(other), _) => {
                    let other = other as usize;
                    own.cmp(&ys.row(other)).then_with(|| compare_x(row, other)) == self.better
                }
                (None, Some(best)) => own.as_ref().cmp(&best.y) != self.better.reverse(),
                (None, None) => true,
            };
            if wins && self.ahead[*group].replace(row as u32).is_none() {
                found.push(*group);
            }
        }
        Ok(found)
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
        self.ahead.resize(count, None);
        let ys = self.y.bytes(y)?;
        let found = self.look_ahead((x, y, &ys), groups, filter)?;
        let rows: UInt32Array = found.iter().map(|group| self.ahead[*group].take()).collect();
        let xs = self.x.bytes(&take(x, &rows, None)?)?;
        for ((group, row), x) in found.into_iter().zip(rows.values()).zip(&xs) {
            let (y, best) = (ys.row(*row as usize), &mut self.best[group]);
            let order = |best: &Best| y.as_ref().cmp(&best.y).then_with(|| x.as_ref().cmp(&best.x));
            if best.as_ref().is_none_or(|best| order(best) == self.better) {
                let own = Best { y: y.as_ref().into(), x: x.as_ref().into() };
                self.bytes += own.len();
                self.bytes -= best.replace(own).map_or(0, |replaced| replaced.len());
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, groups: EmitTo) -> Result<ArrayRef> {
        let [x, _] = self.emit(groups)?;
        Ok(x)
    }

    fn state(&mut self, groups: EmitTo) -> Result<Vec<ArrayRef>> {
        let mut state = self.emit(groups)?.to_vec();
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
        let lists = self.best.capacity() * size_of::<Option<Best>>() + self.ahead.capacity() * size_of::<Option<u32>>();
        size_of_val(self) + self.bytes + lists
    }
}

fn missing() -> DataFusionError {
    DataFusionError::Internal("an aggregate with arguments missing".to_owned())
}
