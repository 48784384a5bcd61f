//! Random faults in every service at once, from a seed, against the oracle.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::stream::{self, StreamExt};
use rig::flow::Flow;
use rig::oracle::{Client, Ledger, Sums, audit};
use rig::plan::Plan;
use rig::random::Random;

/// How many things each client does under a plan.
const ACTS: usize = 14;
/// Clients at a time.
const CLIENTS: u64 = 3;
/// Plans at a time: each mostly waits for its next attempt.
const AT_ONCE: usize = 4;

/// `DAYBOOK_FAULT_PLANS` sets how many plans are played, `DAYBOOK_FAULT_SEED` plays one seed's again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeded_fault_plans() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds: Vec<u64> = match number("DAYBOOK_FAULT_SEED") {
        Some(seed) => vec![seed],
        None => {
            let mut random = Random::new(std::process::id().into());
            (0..number("DAYBOOK_FAULT_PLANS").unwrap_or(30)).map(|_| random.number() >> 16).collect()
        }
    };
    let (begun, plans) = (Instant::now(), seeds.len());
    let mut all = Total::default();
    let mut played = stream::iter(seeds).map(|seed| async move { (seed, play(seed).await) }).buffer_unordered(AT_ONCE);
    while let Some((seed, outcome)) = played.next().await {
        match outcome {
            Ok((sums, faults)) => all.add(sums, faults),
            Err(finding) => panic!("DAYBOOK_FAULT_SEED={seed} ({}): {finding}", Plan::seeded(seed)),
        }
    }
    eprintln!("{plans} plans in {:?}: {all:?}", begun.elapsed());
    assert!(plans < 20 || all.is_telling(), "hardly anything went wrong: {all:?}");
}

/// Plays one plan, lets everything heal, and judges. Gives the sums and how many requests met a fault.
async fn play(seed: u64) -> Result<(Sums, usize), String> {
    let flow = Flow::new().await;
    let (ledger, tasks) = (Arc::new(Ledger::default()), Arc::new(Mutex::new(Vec::new())));
    let clients = (0..CLIENTS).map(|id| Client::new(&format!("c{id}"), seed, Arc::clone(&ledger), Arc::clone(&tasks)));
    let mut clients: Vec<Client> = clients.collect();
    flow.proxy.play(Plan::seeded(seed));
    let work = clients.iter_mut().map(|client| async {
        for _ in 0..ACTS {
            client.act(&flow).await;
        }
    });
    let (_, ()) = tokio::join!(futures::future::join_all(work), chores(&flow, seed));
    flow.proxy.heal().await;
    for client in &mut clients {
        client.make_sure(&flow).await?;
    }
    flow.settle().await;
    let faults = flow.proxy.take().faults();
    Ok((audit(&ledger.attempts(), &flow.evidence().await)?, faults))
}

/// What goes on beside the requests: relaying and compacting, two of each at a time now and then, and failing as it may.
async fn chores(flow: &Flow, seed: u64) {
    let mut random = Random::of(seed, "chores", 0);
    for _ in 0..4 {
        // A batch that fails comes again; a run that fails is followed by another.
        let _ = flow.relay().await;
        if random.percent(30) {
            let _ = flow.relay_without_moving_on().await;
        }
        let _ = tokio::join!(flow.compact(), async {
            if random.percent(30) {
                let _ = flow.compact().await;
            }
        });
    }
}

/// What all plans came to.
#[derive(Debug, Default)]
struct Total {
    events: u64,
    recorded: u64,
    unknown: u64,
    unknown_but_logged: u64,
    keyed: u64,
    repeated: u64,
    duplicates: u64,
    faults: usize,
    types: std::collections::BTreeMap<String, u64>,
}

impl Total {
    fn add(&mut self, sums: Sums, faults: usize) {
        self.events += sums.types.values().sum::<u64>();
        self.recorded += sums.recorded;
        self.unknown += sums.unknown;
        self.unknown_but_logged += sums.unknown_but_logged;
        self.keyed += sums.keyed.0;
        self.repeated += sums.keyed.1;
        self.duplicates += sums.duplicates;
        self.faults += faults;
        for (name, count) in sums.types {
            *self.types.entry(name).or_default() += count;
        }
    }

    /// Whether enough of everything happened to say anything.
    fn is_telling(&self) -> bool {
        let kinds = ["data.submitted", "task.created", "task.updated", "request.read", "request.rejected"];
        self.faults > 200
            && self.unknown > self.unknown_but_logged
            && self.unknown_but_logged > 0
            && self.repeated > 0
            && self.duplicates > 0
            && kinds.iter().all(|kind| self.types.contains_key(*kind))
    }
}
