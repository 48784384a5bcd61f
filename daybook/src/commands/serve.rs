//! `daybook serve`: API, relay and compactor in one process.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use compactor::{Compaction, Lake, Options};
use event::EventIds;
use event::redact::{Redactor, Rules};
use ingest::http::cursor::Cursors;
use ingest::local::{relay, server};
use ingest::store::sqlite::SqliteStore;
use ingest::{Api, Parts, Settings, System};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::ask::Questions;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::installation::Installation;
use crate::output::print;

/// How often it is looked whether the store still knows what is on disk.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// Serves until SIGTERM or SIGINT, then lets requests end, relays what they left and exits 0.
pub async fn run(config: Config) -> Result<ExitCode> {
    config.check_exposure()?;
    let installation = Installation::at(&config.data, System::real())?;
    let store = Arc::new(installation.store()?);
    let lake = installation.lake().await?;
    let api = Arc::new(api(&config, &installation, &store).await?);
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(Failure::while_(format_args!("listen at {}; choose another address with --listen", config.listen)))?;
    let address = listener.local_addr().map_err(Failure::while_("ask for the address"))?;
    let (stop, stopped) = watch::channel(());
    let relay = tokio::spawn(relay_loop(Arc::clone(&store), installation.clone(), config.clone(), stopped.clone()));
    let compactor = tokio::spawn(compact_loop(lake, installation.clone(), config.clone(), stopped));
    print(format!("Daybook is ready at http://{address}\n").as_bytes())?;
    server::serve(listener, api, until_told_to_stop(Arc::clone(&store))).await;
    if store.has_failed() {
        return Err(Failure::new(
            "the store can no longer tell what is on disk; nothing more was acknowledged, restart",
        ));
    }
    drop(stop);
    // Both loops end by themselves; a panic in one has been logged and loses nothing that is durable.
    let _ = tokio::join!(relay, compactor);
    relay::drain(&store, installation.folder(), installation.now()).await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

async fn api(config: &Config, installation: &Installation, store: &Arc<SqliteStore>) -> Result<Api> {
    let rules = Rules::default().with_keys(config.mask.clone());
    let redactor = Redactor::new(installation.key("redaction")?, rules).map_err(Failure::while_("use mask"))?;
    let ids = match store.reader().last_event_id().await? {
        Some(last) => EventIds::after(last),
        None => EventIds::default(),
    };
    let settings = Settings {
        environment: config.environment.clone(),
        base_path: config.base_path.clone(),
        cors_origins: config.cors_origins.clone(),
        api_keys: config.api_keys.clone(),
        require_if_match: config.require_if_match,
        ..Settings::default()
    };
    Ok(Api::new(Parts {
        settings,
        redactor,
        cursors: Cursors::new(installation.key("cursors")?),
        ids,
        system: installation.system(),
        store: Arc::clone(store) as _,
        sink: Arc::clone(store) as _,
        queries: Some(Questions::to(installation).await?.into_query_fn()),
    }))
}

/// Resolves at SIGTERM, at SIGINT, or once the store has stopped acknowledging.
async fn until_told_to_stop(store: Arc<SqliteStore>) {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        tracing::error!("signals cannot be received; stop with kill -9, which loses nothing");
        return std::future::pending().await;
    };
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            _ = heartbeat.tick() => if store.has_failed() { return },
        }
    }
}

async fn relay_loop(
    store: Arc<SqliteStore>,
    installation: Installation,
    config: Config,
    mut stopped: watch::Receiver<()>,
) {
    let mut ticks = tokio::time::interval(config.relay_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => return,
        }
        if let Err(error) = relay::drain(&store, installation.folder(), installation.now()).await {
            tracing::error!(%error, "the relay failed; it goes on with the next run");
        }
    }
}

async fn compact_loop(lake: Lake, installation: Installation, config: Config, mut stopped: watch::Receiver<()>) {
    let mut ticks = tokio::time::interval(config.compact_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => return,
        }
        let options = Options { memory: config.memory, ..Options::default() };
        let random = installation.system().random;
        let compaction = Compaction::new(&lake, installation.raw(), options);
        let run = compaction.run(installation.now(), &random);
        // Dropped in the middle it is as if killed there: the next run goes on from the last commit (I2, I7).
        let done = tokio::select! {
            done = run => done,
            _ = stopped.changed() => return,
        };
        match done {
            Ok(summary) if summary.commits > 0 => tracing::info!(
                rows = summary.counts.rows,
                duplicates = summary.counts.duplicates,
                quarantined = summary.counts.quarantined,
                commits = summary.commits,
                "compacted"
            ),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the compactor failed; it goes on with the next run"),
        }
    }
}
