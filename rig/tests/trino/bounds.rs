//! What an approximate percentile may be.

use query::{Cell, NamedQuery, Rows};

use crate::world::with_sql;

const CALL: &str = "approx_percentile(";
/// How far from the percentage that was asked for the one of the value may be: twice what Trino's digest is seen to be off.
const SHARE: f64 = 0.04;
/// Groups of fewer values are answered exactly by both engines.
const EXACT: i64 = 40;

/// The columns of a query that are approximate percentiles, and the query that says what they may be.
pub struct Bounds {
    names: Vec<String>,
    pub query: NamedQuery,
}

/// The columns of an answer that are estimates, and for each row what each of them may be.
pub struct Estimates {
    pub names: Vec<String>,
    pub ranges: Vec<Vec<Range>>,
}

/// The least and the greatest value that an engine may give.
pub type Range = (Cell, Cell);

impl Bounds {
    /// Adds to each percentile of `query` the percentiles below and above it, and how many values there are.
    pub fn of(query: &NamedQuery) -> Self {
        let (mut names, mut sql, mut rest) = (Vec::new(), String::new(), query.sql);
        while let Some(at) = rest.find(CALL) {
            let call = &rest[at..];
            let comma = at_depth_one(call, ',');
            let close = at_depth_one(call, ')');
            let value = &call[CALL.len()..comma];
            let percentage: f64 = call[comma + 1..close].trim().parse().unwrap();
            let (filter, name) = call[close + 1..].split_once(" as ").unwrap();
            let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let (low, high) = ((percentage - SHARE).max(0.0), (percentage + SHARE).min(1.0));
            sql.push_str(&rest[..at]);
            sql.push_str(&format!("approx_percentile({value}, {low:.2}){filter} as {name}_low, "));
            sql.push_str(&format!("approx_percentile({value}, {high:.2}){filter} as {name}_high, "));
            sql.push_str(&format!("count({value}){filter} as {name}_count, "));
            let end = close + 1 + filter.len() + " as ".len() + name.len();
            sql.push_str(&call[..end]);
            names.push(name);
            rest = &call[end..];
        }
        sql.push_str(rest);
        Self { names, query: with_sql(query, sql) }
    }

    /// Takes the columns that were added out of an answer.
    pub fn split(self, rows: &mut Rows) -> Estimates {
        let place = |name: &str, part: &str| {
            let wanted = format!("{name}_{part}");
            rows.columns.iter().position(|column| column.name == wanted).unwrap_or_else(|| panic!("{wanted} is lost"))
        };
        let places: Vec<[usize; 4]> = self
            .names
            .iter()
            .map(|name| {
                let own = rows.columns.iter().position(|column| column.name == *name).unwrap();
                [place(name, "low"), place(name, "high"), place(name, "count"), own]
            })
            .collect();
        let ranges = rows.rows.iter().map(|row| places.iter().map(|places| range(row, places)).collect()).collect();
        let added: Vec<usize> = places.iter().flat_map(|places| places[..3].to_vec()).collect();
        let mut keep = (0..rows.columns.len()).map(|number| !added.contains(&number)).collect::<Vec<_>>().into_iter();
        rows.columns.retain(|_| keep.next().unwrap());
        for row in &mut rows.rows {
            let mut number = 0..;
            row.retain(|_| !added.contains(&number.next().unwrap()));
        }
        Estimates { names: self.names, ranges }
    }
}

fn range(row: &[Cell], [low, high, count, own]: &[usize; 4]) -> Range {
    match &row[*count] {
        Cell::Int(count) if *count < EXACT => (row[*own].clone(), row[*own].clone()),
        Cell::Int(_) => (row[*low].clone(), row[*high].clone()),
        other => panic!("{other:?} is no count"),
    }
}

/// Where the first such character of a call is that is in no inner parentheses.
fn at_depth_one(call: &str, wanted: char) -> usize {
    let mut depth = 0;
    for (at, character) in call.char_indices() {
        if depth == 1 && character == wanted {
            return at;
        }
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    panic!("no {wanted} in {call}")
}
