//! All that a run does not decide by itself: chance, the clock, whose turn it is. One seed makes all of it.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use event::Timestamp;
use futures::task::noop_waker;
use ingest::System;

/// When every run begins, microseconds.
const START: i64 = 1_763_631_026_000_000;
const HOUR: i64 = 3_600_000_000;

/// A piece of a run: polled when it is its turn.
pub type Actor = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Debug)]
struct World {
    random: u64,
    /// What the clock says.
    clock: i64,
    /// What has really passed.
    passed: u64,
    /// Whether the clock has leapt ahead.
    leapt: bool,
}

thread_local! {
    static WORLD: RefCell<World> = const { RefCell::new(World { random: 0, clock: START, passed: 0, leapt: false }) };
}

/// Begins a run: everything from here on, on this thread, follows from the seed.
pub fn begin(seed: u64) {
    WORLD.set(World { random: seed, clock: START, passed: 0, leapt: false });
}

/// Whether the clock has leapt ahead in this run: what was kept for a time may have expired at any moment.
pub fn has_leapt() -> bool {
    WORLD.with_borrow(|world| world.leapt)
}

/// The next number: SplitMix64.
fn next() -> u64 {
    WORLD.with_borrow_mut(|world| {
        world.random = world.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = world.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// A number below `below`.
pub fn below(below: usize) -> usize {
    (next() % below.max(1) as u64) as usize
}

/// True so many times of a thousand.
pub fn chance(of_a_thousand: u64) -> bool {
    next() % 1_000 < of_a_thousand
}

/// The clock and randomness of the run.
pub fn system() -> System {
    System {
        now: || Timestamp::from_micros(WORLD.with_borrow(|world| world.clock)),
        monotonic: || WORLD.with_borrow(|world| world.passed),
        random: || {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&next().to_be_bytes());
            bytes[8..].copy_from_slice(&next().to_be_bytes());
            bytes
        },
    }
}

/// Gives the others so many turns.
pub async fn pause(turns: usize) {
    let mut left = turns;
    std::future::poll_fn(|_| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        Poll::Pending
    })
    .await;
}

/// Polls one actor after the other, each time the one that the seed chooses, until all have ended.
pub fn run(mut actors: Vec<Actor>) {
    let waker = noop_waker();
    let mut context = Context::from_waker(&waker);
    while !actors.is_empty() {
        let index = below(actors.len());
        if actors[index].as_mut().poll(&mut context).is_ready() {
            drop(actors.swap_remove(index));
        }
        tick();
    }
}

/// Time passes; now and then the clock is set, as an administrator or a bad battery does.
fn tick() {
    let step = below(400) as u64;
    let set = match below(4_000) {
        0 => -HOUR,
        1 => HOUR,
        2 if chance(100) => 8_766 * HOUR,
        _ => 0,
    };
    WORLD.with_borrow_mut(|world| {
        world.passed += step;
        world.clock += step as i64 + set;
        world.leapt |= set > HOUR;
    });
}
