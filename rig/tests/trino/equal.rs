//! When two answers to a question are the same.

use std::cmp::Ordering;

use query::{Cell, NamedQuery, Rows};

use crate::bounds::{Estimates, Range};

/// Floats may differ so much, relative to the larger: the order of a sum is the engine's.
const FLOAT: f64 = 1e-9;

/// Whether `theirs` is the answer that `ours` is: the same columns and rows, in the same order, which must leave no two rows
/// as equals. A percentile may be anything within its range.
///
/// # Errors
/// It is not; the text says where.
pub fn check(query: &NamedQuery, ours: &Rows, theirs: &Rows, estimates: &Estimates) -> Result<(), String> {
    if ours.columns != theirs.columns {
        return Err(format!("the columns are {:?}, not {:?}", theirs.columns, ours.columns));
    }
    let order = order(query);
    ordered(ours, &order).map_err(|error| format!("here {error}"))?;
    ordered(theirs, &order).map_err(|error| format!("there {error}"))?;
    if ours.rows.len() != theirs.rows.len() {
        return Err(format!("{} rows, not {}", theirs.rows.len(), ours.rows.len()));
    }
    let places: Vec<usize> = estimates.names.iter().map(|name| place(ours, name)).collect();
    let by_estimates = order.iter().any(|(sum, _)| sum.iter().any(|name| estimates.names.iter().any(|it| it == name)));
    assert!(!by_estimates || !query.sql.contains("\nlimit "), "an estimate decides who is in the answer");
    let arranged = |rows: &Rows| {
        let mut numbers: Vec<usize> = (0..rows.rows.len()).collect();
        if by_estimates {
            numbers.sort_by_key(|number| format!("{:?}", without(&rows.rows[*number], &places)));
        }
        numbers
    };
    for (our_place, their_place) in arranged(ours).into_iter().zip(arranged(theirs)) {
        let (our, their) = (&ours.rows[our_place], &theirs.rows[their_place]);
        for (column, (a, b)) in our.iter().zip(their).enumerate() {
            let equal = match places.iter().position(|place| *place == column) {
                Some(estimate) => within(b, &estimates.ranges[our_place][estimate]),
                None => same(a, b),
            };
            if !equal {
                let name = &ours.columns[column].name;
                return Err(format!("row {our_place}, {name}: {a:?} here, {b:?} there, of\n{our:?}\n{their:?}"));
            }
        }
    }
    Ok(())
}

fn ordered(rows: &Rows, order: &Order<'_>) -> Result<(), String> {
    let wrong = |pair: &&[Vec<Cell>]| compare(rows, order, &pair[0], &pair[1]) != Ordering::Less;
    match rows.rows.windows(2).find(wrong) {
        Some(pair) => Err(format!("it is not ordered by {order:?}, or not wholly:\n{:?}\n{:?}", pair[0], pair[1])),
        None => Ok(()),
    }
}

fn same(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::Float(a), Cell::Float(b)) => a == b || (a - b).abs() <= FLOAT * a.abs().max(b.abs()),
        _ => a == b,
    }
}

fn within(cell: &Cell, (low, high): &Range) -> bool {
    let bounded = |a: &Cell, b: &Cell| same(a, b) || cells(a, b) == Ordering::Less;
    bounded(low, cell) && bounded(cell, high)
}

fn without(row: &[Cell], columns: &[usize]) -> Vec<Cell> {
    row.iter().enumerate().filter(|(column, _)| !columns.contains(column)).map(|(_, cell)| cell.clone()).collect()
}

/// What a question orders by: sums of columns, each ascending or descending.
type Order<'q> = [(Vec<&'q str>, Ordering)];

fn order(query: &NamedQuery) -> Vec<(Vec<&str>, Ordering)> {
    let (_, clause) = query.sql.rsplit_once("\norder by ").unwrap_or_else(|| panic!("{} has no order", query.name));
    let clause = clause.split("\nlimit ").next().unwrap_or_default().trim();
    let term = |term: &'static str| match term.strip_suffix(" desc") {
        Some(sum) => (sum.split(" + ").collect(), Ordering::Greater),
        None => (term.split(" + ").collect(), Ordering::Less),
    };
    clause.split(", ").map(term).collect()
}

fn compare(rows: &Rows, order: &Order<'_>, a: &[Cell], b: &[Cell]) -> Ordering {
    for (sum, first) in order {
        let (a, b) = (value(rows, sum, a), value(rows, sum, b));
        match (&a, &b, cells(&a, &b)) {
            (_, _, Ordering::Equal) => {}
            // Nulls come last either way.
            (Cell::Null, ..) => return Ordering::Greater,
            (_, Cell::Null, _) => return Ordering::Less,
            (_, _, found) => return if found == *first { Ordering::Less } else { Ordering::Greater },
        }
    }
    Ordering::Equal
}

fn value(rows: &Rows, sum: &[&str], row: &[Cell]) -> Cell {
    let cell = |name: &&str| row[place(rows, name)].clone();
    let add = |a: Cell, b: Cell| match (a, b) {
        (Cell::Int(a), Cell::Int(b)) => Cell::Int(a + b),
        other => panic!("{other:?} are not summed"),
    };
    sum.iter().map(cell).reduce(add).unwrap()
}

fn place(rows: &Rows, name: &str) -> usize {
    rows.columns.iter().position(|column| column.name == name).unwrap_or_else(|| panic!("no column {name}"))
}

/// As SQL compares, text by its bytes. Nulls are equal to each other and less than all else.
fn cells(a: &Cell, b: &Cell) -> Ordering {
    match (a, b) {
        (Cell::Null, Cell::Null) => Ordering::Equal,
        (Cell::Null, _) => Ordering::Less,
        (_, Cell::Null) => Ordering::Greater,
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        (Cell::Int(a), Cell::Int(b)) => a.cmp(b),
        (Cell::Float(a), Cell::Float(b)) => a.total_cmp(b),
        (Cell::Bool(a), Cell::Bool(b)) => a.cmp(b),
        (Cell::Timestamp(a), Cell::Timestamp(b)) => a.cmp(b),
        other => panic!("{other:?} are of two kinds"),
    }
}
