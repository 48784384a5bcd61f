//! Rows "compactor" and "catalog" of the fault table.

use std::sync::atomic::{AtomicBool, Ordering};

use compactor::{Error, ErrorKind, Step, Summary};
use rig::flow::Req;
use rig::plan::{Fault, LATE, Plan};

use crate::world::World;

const UPDATE: &str = "glue:UpdateTable";

/// Some events, in an object each.
async fn traffic(world: &World, count: usize) {
    for _ in 0..count {
        world.send(404, Req::get("/nothing")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_anywhere() {
    let world = World::new().await;
    for step in Step::ALL {
        traffic(&world, 2).await;
        let kill = |at: Step| match at == step {
            true => Err(Error::new(ErrorKind::Lake, "killed")),
            false => Ok(()),
        };
        world.flow.compact_until(kill).await.unwrap_err();
        let (sums, evidence) = world.judge().await;
        assert_eq!((sums.duplicates, evidence.counts.quarantined), (0, 0), "{step:?}");
    }
    let (sums, evidence) = world.judge().await;
    assert_eq!((sums.types["request.rejected"], evidence.counts.objects), (12, 12));
}

async fn race(world: &World, count: usize) -> Vec<Summary> {
    let runs = futures::future::join_all((0..count).map(|_| world.flow.compact())).await;
    runs.into_iter().map(|run| run.expect("a run that is overtaken goes on")).collect()
}

/// Glue checks the version, as the real one does: of those that commit at once one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_or_sixteen_at_once() {
    let world = World::new().await;
    for (count, events) in [(2, 4), (16, 6)] {
        traffic(&world, events).await;
        let runs = race(&world, count).await;
        let rows: u64 = runs.iter().map(|run| run.counts.rows).sum();
        assert_eq!(rows, events as u64, "each row was added by one of them: {runs:?}");
        let (sums, _) = world.judge().await;
        assert_eq!(sums.duplicates, 0);
    }
}

/// Every write of a compaction meets a fault once, wherever it stands in the run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_fails_once() {
    let world = World::new().await;
    for fault in
        [Fault::BreakOff, Fault::DropAfter, Fault::Throttle, Fault::Internal, Fault::Duplicate, Fault::Truncate]
    {
        traffic(&world, 2).await;
        let odd = (1..=15).step_by(2).fold(Plan::none(), |plan, nth| plan.on("s3:PutObject lake/", nth, fault));
        world.flow.proxy.play(odd);
        world.flow.proxy.take();
        let run = world.flow.compact().await.unwrap();
        let traffic = world.flow.proxy.take();
        assert!(traffic.faults() >= 2, "{fault:?}: {traffic}");
        assert_eq!((run.commits, run.counts.rows, traffic.count("s3:Delete*")), (1, 2, 0), "{fault:?}: {traffic}");
    }
    let (sums, _) = world.judge().await;
    assert_eq!((sums.types["request.rejected"], sums.duplicates), (12, 0));
}

/// Another one commits between plan and commit; and Glue says so of its own accord.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflict() {
    let world = World::new().await;
    traffic(&world, 2).await;
    let first = AtomicBool::new(true);
    let flow = &world.flow;
    let overtake = |step: Step| {
        if step == Step::Consumed && first.swap(false, Ordering::Relaxed) {
            let other = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(flow.compact()));
            assert_eq!(other.unwrap().commits, 1);
        }
        Ok(())
    };
    let run = flow.compact_until(overtake).await.unwrap();
    assert_eq!((run.overtaken, run.commits), (1, 0));

    traffic(&world, 2).await;
    flow.proxy.play(Plan::none().on(UPDATE, 1, Fault::Conflict));
    flow.proxy.take();
    match flow.compact().await {
        Ok(run) => assert_eq!(run.commits, 1),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Lake, "{error}"),
    }
    assert_eq!(flow.proxy.take().count("s3:Delete*"), 0);
    let (sums, evidence) = world.judge().await;
    assert_eq!((sums.types["request.rejected"], evidence.counts.rows, sums.duplicates), (4, 4, 0));
}

/// The commit is made and nobody says so: it is found by its own id, never made again, and nothing is deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applied_but_answer_lost() {
    let world = World::new().await;
    for (fault, last) in [(Fault::DropAfter, 1), (Fault::Truncate, 1), (Fault::DropAfter, 3), (Fault::Delay(LATE), 3)] {
        traffic(&world, 2).await;
        world.flow.proxy.play(Plan::none().during(UPDATE, 1..=last, fault));
        world.flow.proxy.take();
        let run = world.flow.compact().await.unwrap();
        world.flow.proxy.heal().await;
        let traffic = world.flow.proxy.take();
        assert_eq!((run.commits, run.counts.rows), (1, 2), "{fault:?}: {traffic}");
        assert_eq!(traffic.count("s3:Delete*"), 0, "{traffic}");
        let (sums, evidence) = world.judge().await;
        assert_eq!((sums.duplicates, evidence.counts.rows), (0, sums.types["request.rejected"]), "{fault:?}");
    }
}
