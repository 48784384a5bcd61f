//! What is in both places is the same, to the last byte of every column.

use query::{Cell, QueryEngine};

use crate::world::{EVENTS, nothing, query_of, world};

#[tokio::test]
async fn every_cell_of_every_row_is_alike() {
    let world = world().await;
    let (_athena, engine) = world.athena(|_| {}).await;
    let all = query_of("select * from requests order by event_id");
    let theirs = engine.run(&all, &nothing(&all)).await.unwrap();
    assert_eq!(theirs.columns, world.rows.columns);
    assert_eq!((theirs.rows.len(), theirs.truncated), (EVENTS, false));
    for (ours, theirs) in world.rows.rows.iter().zip(&theirs.rows) {
        assert_eq!(ours, theirs);
    }
    for (number, column) in theirs.columns.iter().enumerate() {
        let used = theirs.rows.iter().any(|row| row[number] != Cell::Null);
        assert!(used, "{} is null in every row", column.name);
    }
}
