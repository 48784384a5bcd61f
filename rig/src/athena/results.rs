//! The pages of an answer.

use serde_json::{Value, json};

use super::Refused;
use crate::trino::{Answer, Column};

/// The most rows of a page, the heading included.
const MOST_ROWS: u64 = 1_000;

/// The page that is asked for: `NextToken` says from where, `MaxResults` how many rows. The first row of all is the heading.
pub(super) fn page(answer: &Answer, request: &Value) -> Result<Value, Refused> {
    let most = request["MaxResults"].as_u64().unwrap_or(MOST_ROWS);
    if !(1..=MOST_ROWS).contains(&most) {
        return Err(Refused::invalid(format!("MaxResults is more than maximum allowed length {MOST_ROWS}, or none")));
    }
    let count = answer.rows.len() + 1;
    let from = match &request["NextToken"] {
        Value::Null => 0,
        token => token.as_str().and_then(from_token).filter(|from| *from < count).ok_or_else(unknown_token)?,
    };
    let to = count.min(from.saturating_add(usize::try_from(most).unwrap_or(usize::MAX)));
    let row = |index: usize| match index.checked_sub(1) {
        None => answer.columns.iter().map(|column| json!({"VarCharValue": column.name})).collect(),
        Some(index) => answer.rows[index].iter().map(datum).collect::<Vec<Value>>(),
    };
    let rows: Vec<Value> = (from..to).map(|index| json!({"Data": row(index)})).collect();
    let columns: Vec<Value> = answer.columns.iter().map(info).collect();
    let mut page = json!({"UpdateCount": 0, "ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": columns}}});
    if to < count {
        page["NextToken"] = token(to).into();
    }
    Ok(page)
}

/// A null has no value; an empty text has one.
fn datum(text: &Option<String>) -> Value {
    text.as_ref().map_or_else(|| json!({}), |text| json!({"VarCharValue": text}))
}

/// The type without its length or precision, which stand apart.
fn info(column: &Column) -> Value {
    let base = column.r#type.split('(').next().unwrap_or_default();
    let precision = match base {
        "varchar" => 2_147_483_647,
        "bigint" => 19,
        "integer" => 10,
        "double" => 17,
        "timestamp" => 3,
        _ => 0,
    };
    json!({
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column.name,
        "Label": column.name,
        "Type": base,
        "Precision": precision,
        "Scale": 0,
        "Nullable": "UNKNOWN",
        "CaseSensitive": base == "varchar",
    })
}

/// Not a number that a client might reckon with.
fn token(from: usize) -> String {
    format!("page-{from:x}")
}

fn from_token(token: &str) -> Option<usize> {
    usize::from_str_radix(token.strip_prefix("page-")?, 16).ok()
}

fn unknown_token() -> Refused {
    Refused::invalid("Pagination token is not valid")
}
