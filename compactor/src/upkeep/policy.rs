//! Which files of a day to merge: pure, from their sizes.
//!
//! A merge takes the smallest files of a day, as many as still make one file of the target size. It is worth it only if
//! the largest of them has no more than a given multiple of the rows of all the others together. Each row then lands in
//! a file that has at least twice (of a settled day: 9/8 times) the rows of the one that it came from, so that it is
//! rewritten O(log) times until its file is full, however its day's rows arrive. Rows are counted, not bytes, since the
//! rows of a merge are exactly those of its parts.

use std::time::Duration;

use event::Timestamp;

use super::UpkeepOptions;

/// A file is full, and never rewritten again, from three quarters of the target on.
const FULL: (u64, u64) = (3, 4);
/// What an input takes in memory beside its share of the output: a batch, and a page of each column.
const INPUT: u64 = 8 << 20;
/// How data grow from a file to memory, guessed high.
const GROWS_BY: u64 = 8;

/// A file that might be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// When the files of a day are worth a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    /// At least so many files.
    files: usize,
    /// The largest has at most so many times the rows of all the others.
    ratio: u64,
}

/// Rows still arrive: their files are merged by the eight.
const OPEN: Rule = Rule { files: 8, ratio: 1 };
/// Only late rows arrive: few files are wanted, and one small late file does not make a large one be written anew.
const SETTLED: Rule = Rule { files: 2, ratio: 8 };

/// Whether a file may still be merged.
pub(super) fn is_small(bytes: u64, options: &UpkeepOptions) -> bool {
    bytes < options.target_bytes / FULL.1 * FULL.0
}

/// How many of the files of a day, sorted by their rows, to merge into one; 0 if that is not worth it.
pub(super) fn how_many(sorted: &[Size], day: i32, now: Timestamp, options: &UpkeepOptions) -> usize {
    let rule = if is_settled(day, now, options.settle) { SETTLED } else { OPEN };
    let (mut rows, mut bytes, mut memory, mut best) = (0_u64, 0_u64, 0_u64, 0);
    for (index, size) in sorted.iter().enumerate() {
        bytes = bytes.saturating_add(size.bytes);
        memory = memory.saturating_add(size.bytes.saturating_mul(GROWS_BY).min(INPUT));
        if bytes > options.target_bytes || memory > options.memory / 2 {
            break;
        }
        if index + 1 >= rule.files && size.rows <= rows.saturating_mul(rule.ratio) {
            best = index + 1;
        }
        rows = rows.saturating_add(size.rows);
    }
    best
}

/// Whether a day ended so long ago that only late rows arrive.
fn is_settled(day: i32, now: Timestamp, settle: Duration) -> bool {
    let end = (i64::from(day) + 1).saturating_mul(Timestamp::DAY);
    let settle = i64::try_from(settle.as_micros()).unwrap_or(i64::MAX);
    end.saturating_add(settle) <= now.micros()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn options() -> UpkeepOptions {
        UpkeepOptions::default()
    }

    fn at_day(days: i64) -> Timestamp {
        Timestamp::from_micros(days * Timestamp::DAY)
    }

    fn sizes(rows: &[u64]) -> Vec<Size> {
        rows.iter().map(|rows| Size { rows: *rows, bytes: rows * MIB }).collect()
    }

    #[test]
    fn table_of_examples() {
        let check = |rows: &[u64], settled: bool, expect: usize| {
            let now = at_day(if settled { 13 } else { 10 });
            assert_eq!(how_many(&sizes(rows), 10, now, &options()), expect, "{rows:?}, settled {settled}");
        };
        check(&[], true, 0);
        check(&[1], true, 0);
        check(&[1; 7], false, 0);
        check(&[1; 8], false, 8);
        check(&[1, 1, 1, 1, 1, 1, 1, 1, 8], false, 9);
        check(&[1, 1, 1, 1, 1, 1, 1, 1, 9], false, 8);
        check(&[1, 1, 1, 1, 1, 1, 1, 9], false, 0);
        check(&[1, 1], true, 2);
        check(&[1, 9], true, 0);
        check(&[1, 8, 60], true, 3);
        check(&[1, 80], true, 0);
        check(&[20; 10], true, 6);
    }

    #[test]
    fn a_day_is_settled_two_days_after_its_end() {
        let check = |now: Timestamp, expect: bool| assert_eq!(is_settled(10, now, options().settle), expect, "{now}");
        check(at_day(10), false);
        check(Timestamp::from_micros(13 * Timestamp::DAY - 1), false);
        check(at_day(13), true);
        check(at_day(-400), false);
    }

    #[test]
    fn inputs_are_as_many_as_memory_allows() {
        let many = vec![Size { rows: 1, bytes: MIB }; 100];
        let of = |memory: u64| how_many(&many, 10, at_day(13), &UpkeepOptions { memory, ..options() });
        assert_eq!((of(0), of(64 * MIB), of(256 * MIB), of(1 << 40)), (0, 4, 16, 100));
        let tiny = vec![Size { rows: 1, bytes: 10 << 10 }; 1_000];
        assert_eq!(how_many(&tiny, 10, at_day(13), &UpkeepOptions { memory: 64 * MIB, ..options() }), 409);
    }

    /// Commits of any size, each followed by all the merges that are worth it: no row moves often, files stay few.
    fn simulate(commits: &[u64], settled: bool) -> (usize, usize, u64) {
        let now = at_day(if settled { 13 } else { 10 });
        let options = UpkeepOptions { target_bytes: u64::MAX, memory: u64::MAX, ..options() };
        let mut files: Vec<(u64, usize)> = Vec::new();
        for rows in commits {
            files.push((*rows, 0));
            loop {
                files.sort_unstable();
                let sorted: Vec<Size> = files.iter().map(|(rows, _)| Size { rows: *rows, bytes: 1 }).collect();
                let count = how_many(&sorted, 10, now, &options);
                if count == 0 {
                    break;
                }
                let merged: Vec<_> = files.drain(..count).collect();
                let moves = merged.iter().map(|(_, moves)| moves + 1).max().unwrap_or_default();
                files.push((merged.iter().map(|(rows, _)| rows).sum(), moves));
            }
        }
        let moves = files.iter().map(|(_, moves)| *moves).max().unwrap_or_default();
        (files.len(), moves, commits.iter().sum())
    }

    proptest! {
        #[test]
        fn a_row_moves_a_logarithm_of_times(commits in prop::collection::vec(1..10_000_u64, 1..500), settled: bool) {
            let (files, moves, rows) = simulate(&commits, settled);
            let doublings = (rows as f64).log2();
            // log(9/8) = log(2) / 5.9
            let (most_moves, most_files) = if settled { (5.9 * doublings, doublings) } else { (doublings, 8.0 + 8.0 * doublings) };
            prop_assert!(moves as f64 <= most_moves + 1.0, "{moves} moves of {rows} rows");
            prop_assert!(files as f64 <= most_files + 1.0, "{files} files of {rows} rows");
        }
    }

    #[test]
    fn a_day_of_equal_commits() {
        assert_eq!(simulate(&[100; 24], false), (2, 2, 2_400));
        assert_eq!(simulate(&[100; 432], false), (4, 6, 43_200));
    }
}
