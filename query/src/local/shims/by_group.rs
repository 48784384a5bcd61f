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

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    const GROUPS: usize = 4;

    /// Group, `x`, `y`, and whether the row counts.
    type Row = (usize, Option<u8>, Option<i64>, bool);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (
            0..GROUPS,
            prop::option::weighted(0.8, 0_u8..4),
            prop::option::weighted(0.8, 0_i64..4),
            prop::bool::weighted(0.8),
        );
        prop::collection::vec(row, 0..60)
    }

    fn accumulator(better: Ordering) -> BestOfGroups {
        BestOfGroups::new(better, &[DataType::Utf8, DataType::Int64]).unwrap()
    }

    fn update(into: &mut BestOfGroups, rows: &[Row]) {
        let x: StringArray = rows.iter().map(|row| row.1.map(|x| format!("x{x}"))).collect();
        let y: Int64Array = rows.iter().map(|row| row.2).collect();
        let groups: Vec<usize> = rows.iter().map(|row| row.0).collect();
        let filter: BooleanArray = rows.iter().map(|row| Some(row.3)).collect();
        into.update_batch(&[std::sync::Arc::new(x), std::sync::Arc::new(y)], &groups, Some(&filter), GROUPS).unwrap();
    }

    /// The best of a group by a plain loop: a null `x` loses to any other of the same `y`.
    fn expected(rows: &[Row], group: usize, better: Ordering) -> Option<String> {
        let of_group = rows.iter().filter(|row| row.0 == group && row.3);
        let counted = of_group.filter_map(|row| Some((row.2?, row.1)));
        let best = counted.reduce(|best, row| {
            let by_x = match (row.1, best.1) {
                (None, _) => better.reverse(),
                (_, None) => better,
                (x, best) => x.cmp(&best),
            };
            if row.0.cmp(&best.0).then(by_x) == better { row } else { best }
        });
        best?.1.map(|x| format!("x{x}"))
    }

    fn texts(array: &ArrayRef) -> Vec<Option<String>> {
        array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }

    proptest! {
        #[test]
        fn the_best_of_each_group_however_the_rows_are_spread(
            parts in prop::collection::vec(rows(), 1..4),
            merged in prop::collection::vec(rows(), 1..3),
            first in 0..=GROUPS,
            greatest in any::<bool>(),
        ) {
            let better = if greatest { Ordering::Greater } else { Ordering::Less };
            let mut whole = accumulator(better);
            parts.iter().for_each(|rows| update(&mut whole, rows));
            for rows in &merged {
                let mut part = accumulator(better);
                update(&mut part, rows);
                let state = part.state(EmitTo::All).unwrap();
                whole.merge_batch(&state, &(0..GROUPS).collect::<Vec<_>>(), None, GROUPS).unwrap();
            }
            let all: Vec<Row> = parts.concat().into_iter().chain(merged.concat()).collect();
            let mut found = texts(&whole.evaluate(EmitTo::First(first)).unwrap());
            found.extend(texts(&whole.evaluate(EmitTo::All).unwrap()));
            let expect: Vec<_> = (0..GROUPS).map(|group| expected(&all, group, better)).collect();
            prop_assert_eq!(found, expect);
            prop_assert_eq!(whole.bytes, 0);
        }
    }
}
