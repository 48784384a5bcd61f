//! What of a query's filters Iceberg can use to leave whole files out.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use iceberg::expr::{Predicate, Reference};
use iceberg::spec::Datum;

/// The conjunction of those filters that compare a column with a time or a text; `AlwaysTrue` if there are none.
///
/// The result never excludes a row that the filters let through.
pub(crate) fn predicate(filters: &[Expr]) -> Predicate {
    filters.iter().filter_map(comparison).fold(Predicate::AlwaysTrue, Predicate::and)
}

fn comparison(filter: &Expr) -> Option<Predicate> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return None };
    match (&**left, &**right) {
        (Expr::Column(column), Expr::Literal(value, _)) => bound(&column.name, *op, datum(*op, value)?),
        (Expr::Literal(value, _), Expr::Column(column)) => {
            let op = op.swap()?;
            bound(&column.name, op, datum(op, value)?)
        }
        _ => None,
    }
}

fn datum(op: Operator, value: &ScalarValue) -> Option<Datum> {
    match value {
        ScalarValue::TimestampMicrosecond(Some(micros), None) => time(op, *micros).map(Datum::timestamp_micros),
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => Some(Datum::string(text)),
        _ => None,
    }
}

/// The time to compare with.
///
/// `iceberg` 0.10.1 takes a time in the last second of a day before 1970 for one of the next day. As an upper bound that
/// lets more through; a lower bound is moved to the beginning of its day, and equality is left to the files' own bounds.
fn time(op: Operator, micros: i64) -> Option<i64> {
    match op {
        _ if micros >= 0 => Some(micros),
        Operator::Lt | Operator::LtEq => Some(micros),
        Operator::Gt | Operator::GtEq => Some(micros - micros.rem_euclid(86_400_000_000)),
        _ => None,
    }
}

fn bound(column: &str, op: Operator, value: Datum) -> Option<Predicate> {
    let column = Reference::new(column);
    match op {
        Operator::Eq => Some(column.equal_to(value)),
        Operator::Lt => Some(column.less_than(value)),
        Operator::LtEq => Some(column.less_than_or_equal_to(value)),
        Operator::Gt => Some(column.greater_than(value)),
        Operator::GtEq => Some(column.greater_than_or_equal_to(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::ScalarValue;
    use datafusion::prelude::{col, lit};

    use super::*;

    fn time(micros: i64) -> Expr {
        lit(ScalarValue::TimestampMicrosecond(Some(micros), None))
    }

    #[test]
    fn takes_comparisons_with_times_and_texts() {
        let filters = [
            col("received_at").gt_eq(time(1)),
            time(9).gt(col("received_at")),
            col("entity_id").eq(lit("x")),
            col("status").eq(lit(5)),
            col("route").is_null(),
            col("entity_id").not_eq(lit("y")),
        ];
        let expect = Predicate::AlwaysTrue
            .and(Reference::new("received_at").greater_than_or_equal_to(Datum::timestamp_micros(1)))
            .and(Reference::new("received_at").less_than(Datum::timestamp_micros(9)))
            .and(Reference::new("entity_id").equal_to(Datum::string("x")));
        assert_eq!(predicate(&filters), expect);
        assert_eq!(predicate(&[]), Predicate::AlwaysTrue);
        let early =
            [col("received_at").gt_eq(time(-1)), col("received_at").lt(time(-1)), col("received_at").eq(time(-1))];
        let expect = Predicate::AlwaysTrue
            .and(Reference::new("received_at").greater_than_or_equal_to(Datum::timestamp_micros(-86_400_000_000)))
            .and(Reference::new("received_at").less_than(Datum::timestamp_micros(-1)));
        assert_eq!(predicate(&early), expect);
    }
}
