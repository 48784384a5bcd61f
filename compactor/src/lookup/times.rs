//! Times that are looked for, and a tolerance.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::types::TimestampMicrosecondType;
use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder};

/// Times in microseconds, each with a tolerance before and after it.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    sorted: Arc<[i64]>,
    tolerance: i64,
}

impl Times {
    /// `sorted` times.
    pub(crate) fn new(sorted: impl IntoIterator<Item = i64>, tolerance: i64) -> Self {
        Self { sorted: sorted.into_iter().collect(), tolerance }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Whether any of them lies between two others, both included.
    pub(crate) fn any_within(&self, first: i64, last: i64) -> bool {
        let from = self.sorted.partition_point(|time| *time < first.saturating_sub(self.tolerance));
        self.sorted.get(from).is_some_and(|time| *time <= last.saturating_add(self.tolerance))
    }

    /// Which rows of a column of times are among them; all of them if it is no such column.
    pub(super) fn among(&self, column: &ArrayRef) -> BooleanArray {
        let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() else {
            return BooleanArray::from(vec![true; column.len()]);
        };
        let times = times.values();
        if times.is_sorted() {
            self.among_sorted(times)
        } else {
            times.iter().map(|t| Some(self.any_within(*t, *t))).collect()
        }
    }

    /// The same with one search for each of the sought times instead of one for each row: there are far fewer of them.
    fn among_sorted(&self, rows: &[i64]) -> BooleanArray {
        let mut found = BooleanBufferBuilder::new(rows.len());
        found.append_n(rows.len(), false);
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return BooleanArray::from(found.finish()) };
        let from = self.sorted.partition_point(|time| *time < first.saturating_sub(self.tolerance));
        let mut row = 0;
        for time in self.sorted[from..].iter().take_while(|time| **time <= last.saturating_add(self.tolerance)) {
            row += rows[row..].partition_point(|row| *row < time.saturating_sub(self.tolerance));
            while rows.get(row).is_some_and(|row| *row <= time.saturating_add(self.tolerance)) {
                found.set_bit(row, true);
                row += 1;
            }
        }
        BooleanArray::from(found.finish())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::TimestampMicrosecondArray;

    use super::*;

    fn check(rows: &[i64], sought: &[i64], tolerance: i64, expect: &[usize]) {
        let times = Times::new(sought.iter().copied(), tolerance);
        let among = |rows: Vec<i64>| times.among(&(Arc::new(TimestampMicrosecondArray::from(rows)) as ArrayRef));
        let found: Vec<usize> = among(rows.to_vec()).values().set_indices().collect();
        assert_eq!(found, expect, "{sought:?} in {rows:?}");
        let mut reversed: Vec<i64> = rows.to_vec();
        reversed.reverse();
        let mut found: Vec<usize> = among(reversed).values().set_indices().map(|at| rows.len() - 1 - at).collect();
        found.reverse();
        assert_eq!(found, expect, "backwards: {sought:?} in {rows:?}");
        let any = rows.first().is_some_and(|first| times.any_within(*first, rows[rows.len() - 1]));
        assert!(any || expect.is_empty());
    }

    #[test]
    fn rows_of_the_times_are_found_however_they_are_sorted() {
        let rows = [1, 1, 3, 5, 5, 5, 9, 20];
        check(&rows, &[], 0, &[]);
        check(&rows, &[0, 2, 30], 0, &[]);
        check(&rows, &[1], 0, &[0, 1]);
        check(&rows, &[3, 5, 5, 20], 0, &[2, 3, 4, 5, 7]);
        check(&rows, &[7], 2, &[3, 4, 5, 6]);
        check(&rows, &[2, 3, 4], 1, &[0, 1, 2, 3, 4, 5]);
        check(&rows, &[i64::MIN, i64::MAX], 5, &[]);
        check(&[], &[1], 0, &[]);
    }
}
