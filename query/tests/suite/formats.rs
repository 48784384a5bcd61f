//! Answers as bytes.

use std::time::Duration;

use event::Timestamp;
use query::format::{csv, json, ndjson, timed_json};
use query::{Cell, CellKind, RowColumn, Rows};

fn rows() -> Rows {
    let column = |name: &str, kind| RowColumn { name: name.to_owned(), kind };
    let text = |text: &str| Cell::Text(text.to_owned());
    Rows {
        columns: vec![
            column("z_text", CellKind::Text),
            column("a_number", CellKind::Int),
            column("ratio", CellKind::Float),
            column("yes", CellKind::Bool),
            column("at", CellKind::Timestamp),
        ],
        rows: vec![
            vec![
                text("a, \"b\"\r\nc"),
                Cell::Int(i64::MAX),
                Cell::Float(0.125),
                Cell::Bool(true),
                Cell::Timestamp(Timestamp::parse("2026-11-20T09:30:26.123456Z").unwrap()),
            ],
            vec![text("=1+1"), Cell::Int(-5), Cell::Float(f64::NAN), Cell::Bool(false), Cell::Null],
            vec![text(""), Cell::Null, Cell::Float(-2.0), Cell::Null, Cell::Timestamp(Timestamp::from_micros(0))],
        ],
        truncated: true,
        bytes_read: 42,
        cost_usd: None,
    }
}

#[test]
fn json_has_columns_rows_and_count() {
    let expect = concat!(
        r#"{"query":"test","columns":[{"name":"z_text","type":"string"},{"name":"a_number","type":"bigint"},"#,
        r#"{"name":"ratio","type":"double"},{"name":"yes","type":"boolean"},{"name":"at","type":"timestamp"}],"#,
        r#""rows":[{"z_text":"a, \"b\"\r\nc","a_number":9223372036854775807,"ratio":0.125,"yes":true,"#,
        r#""at":"2026-11-20T09:30:26.123456Z"},"#,
        r#"{"z_text":"=1+1","a_number":-5,"ratio":null,"yes":false,"at":null},"#,
        r#"{"z_text":"","a_number":null,"ratio":-2.0,"yes":null,"at":"1970-01-01T00:00:00.000000Z"}],"#,
        r#""count":3,"truncated":true,"bytes_read":42}"#,
        "\n",
    );
    assert_eq!(String::from_utf8(json("test", &rows()).unwrap()).unwrap(), expect);
}

#[test]
fn json_may_say_how_long_it_took() {
    let timed = String::from_utf8(timed_json("test", &rows(), Duration::from_micros(1_234)).unwrap()).unwrap();
    assert!(timed.ends_with("\"bytes_read\":42,\"elapsed_ms\":1.234}\n"), "{timed}");
    assert_eq!(timed.replace(",\"elapsed_ms\":1.234", "").into_bytes(), json("test", &rows()).unwrap());
}

#[test]
fn ndjson_is_a_row_a_line() {
    let expect = concat!(
        r#"{"z_text":"a, \"b\"\r\nc","a_number":9223372036854775807,"ratio":0.125,"yes":true,"#,
        r#""at":"2026-11-20T09:30:26.123456Z"}"#,
        "\n",
        r#"{"z_text":"=1+1","a_number":-5,"ratio":null,"yes":false,"at":null}"#,
        "\n",
        r#"{"z_text":"","a_number":null,"ratio":-2.0,"yes":null,"at":"1970-01-01T00:00:00.000000Z"}"#,
        "\n",
    );
    assert_eq!(String::from_utf8(ndjson(&rows()).unwrap()).unwrap(), expect);
    assert_eq!(ndjson(&Rows { rows: vec![], ..rows() }).unwrap(), b"");
}

#[test]
fn csv_is_quoted_and_disarmed() {
    let expect = "z_text,a_number,ratio,yes,at\r\n\
                  \"a, \"\"b\"\"\r\nc\",9223372036854775807,0.125,true,2026-11-20T09:30:26.123456Z\r\n\
                  '=1+1,-5,NaN,false,\r\n\
                  \"\",,-2,,1970-01-01T00:00:00.000000Z\r\n";
    assert_eq!(String::from_utf8(csv(&rows())).unwrap(), expect);
}

#[test]
fn csv_disarms_every_formula() {
    for (text, expect) in [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@sum(a1)", "'@sum(a1)"),
        ("\tx", "'\tx"),
        ("\rx", "\"'\rx\""),
        ("\n=1", "\"'\n=1\""),
        ("＝1", "'＝1"),
        ("=a,\"b\"", "\"'=a,\"\"b\"\"\""),
        ("a=1", "a=1"),
        ("1-1", "1-1"),
        ("é", "é"),
    ] {
        let rows = Rows { columns: vec![], rows: vec![vec![Cell::Text(text.to_owned())]], ..rows() };
        assert_eq!(String::from_utf8(csv(&rows)).unwrap(), format!("\r\n{expect}\r\n"), "{text:?}");
    }
}
