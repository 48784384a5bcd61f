//! However lines are dealt out to objects and runs, the table is the same.

use event::Event;
use proptest::prelude::*;

use crate::support::{DAY, HOUR, World, events, gzip, key, lines};

#[derive(Debug, Clone)]
struct Object {
    lines: Vec<prop::sample::Index>,
    members: usize,
    plain: bool,
    bad_line: bool,
    run_before: bool,
}

fn object() -> impl Strategy<Value = Object> {
    (
        prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        1..4_usize,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(lines, members, plain, bad_line, run_before)| Object {
            lines,
            members,
            plain,
            bad_line,
            run_before,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, fork: false, ..ProptestConfig::default() })]
    #[test]
    fn splits_orders_and_duplicates_make_no_difference(objects in prop::collection::vec(object(), 1..8), seed: u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(deal(objects, seed));
    }
}

async fn deal(objects: Vec<Object>, seed: u64) {
    let world = World::new().await;
    let input = events(seed, DAY - HOUR, HOUR / 50, 100);
    let (mut written, mut bad) = (0, 0);
    for (number, object) in objects.iter().enumerate() {
        if object.run_before {
            world.compact().await;
        }
        let dealt: Vec<Event> = object.lines.iter().map(|index| index.get(&input).clone()).collect();
        written += dealt.len();
        let mut text = lines(&dealt);
        if object.bad_line {
            text.extend(b"{\"event_id\":1}\n");
            bad += 1;
        }
        let size = text.len().div_ceil(object.members).max(1);
        let bytes = if object.plain { text } else { text.chunks(size).flat_map(gzip).collect() };
        world.put(&key(number as i64 * 7 % 40, &format!("{number}")), bytes);
    }
    // The rest, so that every event is in the log at least once.
    world.put_events(&key(50, "rest"), &input);
    world.compact().await;
    world.check(&input).await;
    let counts = world.counts().await;
    assert_eq!(counts.lines as usize, written + bad + input.len());
    assert_eq!((counts.quarantined as usize, counts.rows as usize), (bad, input.len()));
}
