//! `daybook serve`: API, relay and compactor in one process.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use compactor::{Compaction, Lake, Options, Summary};
use event::{EventIds, Timestamp};
use ingest::http::auth::{Bearers, Credentials, Issued};
use ingest::http::cursor::Cursors;
use ingest::local::assets::Folder;
use ingest::local::keys::{KeyFile, WatchedKeys};
use ingest::local::notices::Notifier;
use ingest::local::server::{self, Capacity};
use ingest::local::{relay, retention};
use ingest::store::sqlite::SqliteStore;
use ingest::{Api, Parts, Settings, System};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::compact::per_second;
use crate::config::Config;
use crate::descriptors;
use crate::failure::{Failure, Result};
use crate::installation::Installation;
use crate::notify;
use crate::output::print;
use crate::questions::Questions;

/// How often the table is kept up, if it is compacted more often: microseconds.
const UPKEEP_EVERY: i64 = 3_600_000_000;
/// How often it is looked whether events have had their time.
const RETENTION_EVERY: Duration = Duration::from_secs(15 * 60);
/// How often contents are looked for that no asset has.
const SWEEP_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// How often it is looked whether API keys were made or revoked.
const KEYS_EVERY: Duration = Duration::from_millis(250);
/// How often it is at least looked whether there is something to tell of.
const NOTICES_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether the store still knows what is on disk.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// Serves until SIGTERM or SIGINT, then lets requests end, relays what they left and exits 0.
pub async fn run(config: Config) -> Result<ExitCode> {
    config.check_exposure(KeyFile::of(&config.data).read()?.len())?;
    let bearers = bearers(&config).await?;
    query::named::check()?;
    let installation = Installation::at(&config.data, System::real())?;
    let keys = WatchedKeys::new(KeyFile::of(installation.folder()))?;
    let store = Arc::new(installation.store().await?);
    let background = Background::start()?;
    let capacity = capacity(&config);
    let counted = Arc::clone(&capacity);
    let system = installation.system();
    let assets = Arc::new(Folder::new(Arc::clone(&store), installation.key("assets")?, system.random));
    let notifier = notifier(&config, &installation, &store).await?;
    let credentials = Credentials { issued: Issued::Known(keys.known()), bearers };
    let api = api(&config, &installation, &store, &assets, credentials, background.handle()).await?;
    let api = Arc::new(api.with_health(Box::new(move || counted.report())));
    let listener = server::listen(config.listen)
        .map_err(Failure::while_(format_args!("listen at {}; choose another address with --listen", config.listen)))?;
    let address = listener.local_addr().map_err(Failure::while_("ask for the address"))?;
    let (stop, stopped) = watch::channel(());
    let relay = tokio::spawn(relay_loop(Arc::clone(&store), installation.clone(), config.clone(), stopped.clone()));
    let retention = retention_loop(Arc::clone(&store), installation.clone(), config.retention, stopped.clone());
    let retention = background.handle().spawn(retention);
    let sweep = background.handle().spawn(sweep_loop(assets, installation.clone(), stopped.clone()));
    // Apart from the background, whose threads queries may hold for as long as they run: a revocation does not wait.
    let keys = tokio::spawn(keys_loop(keys, stopped.clone()));
    let every = config.relay_every.min(NOTICES_EVERY);
    let told = stopped.clone();
    let notices = background.handle().spawn(async move {
        if let Some(notifier) = notifier {
            notifier.run(every, told).await;
        }
    });
    let compactor = background.handle().spawn(compact_loop(installation.clone(), config.clone(), stopped));
    let signals = Signals::receive().map_err(Failure::while_("receive signals"))?;
    print(format!("Daybook is ready at http://{address}\n").as_bytes())?;
    server::serve(listener, api, capacity, until_told_to_stop(signals, Arc::clone(&store))).await;
    if let Some(reason) = store.failure() {
        return Err(Failure::new(format!("{reason}; nothing was acknowledged after that: start again")));
    }
    drop(stop);
    // The loops end by themselves; a panic in one has been logged and loses nothing that is durable.
    let _ = tokio::join!(relay, retention, sweep, keys, notices, compactor);
    relay::drain(&store, installation.now()).await.map_err(|error| {
        Failure::new(format!(
            "stopped, but not all events were relayed; the store has them for the next start: {error}"
        ))
    })?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// The signals that end the server. Received from before it says that it is ready, so that none ends it the hard way.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn receive() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }
}

/// Threads for queries and compaction, apart from those that answer requests.
struct Background(Option<Runtime>);

impl Background {
    fn start() -> Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(2).thread_name("daybook-background").enable_all().build();
        Ok(Self(Some(runtime.map_err(Failure::while_("start the background threads"))?)))
    }

    fn handle(&self) -> Handle {
        self.0.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for Background {
    /// Does not wait: whatever still runs there can be cut off anywhere.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What the server takes on at once. More descriptors are asked for before anything needs them.
fn capacity(config: &Config) -> Arc<Capacity> {
    let connections = descriptors::connections(config.max_connections, descriptors::raised());
    Arc::new(Capacity::new(server::Limits { connections, requests: config.max_requests, ..server::Limits::default() }))
}

/// Who checks tokens, if any are taken. Keys in a file must be there; those at a URL may come later.
async fn bearers(config: &Config) -> Result<Option<Arc<Bearers>>> {
    let built = config.bearers.clone().build(System::real(), |name| format!("jwt-{name}"));
    let Some(bearers) = built.map_err(Failure::new)? else { return Ok(None) };
    match bearers.prepare().await {
        Ok(keys) => tracing::info!(keys, "takes tokens of the issuer's"),
        Err(error) if error.is_retryable() => {
            tracing::warn!(%error, "the issuer's keys are not there yet; its tokens are refused until they are");
        }
        Err(error) => return Err(Failure::new(format!("jwt-jwks: {error}"))),
    }
    Ok(Some(Arc::new(bearers)))
}

/// Who tells of what is committed from here on, if anybody is told.
async fn notifier(config: &Config, installation: &Installation, store: &Arc<SqliteStore>) -> Result<Option<Notifier>> {
    let Some(notify) = &config.notify else { return Ok(None) };
    let system = installation.system();
    let receiver = notify.receiver(notify::secret(config.notify_secret.as_ref(), installation)?, system)?;
    let choice = notify.choice.clone();
    Ok(Some(Notifier::open(Arc::clone(store), choice, receiver, notify.attempts, system).await?))
}

async fn api(
    config: &Config,
    installation: &Installation,
    store: &Arc<SqliteStore>,
    assets: &Arc<Folder>,
    credentials: Credentials,
    background: Handle,
) -> Result<Api> {
    let redactor = installation.redactor(&config.mask)?;
    let ids = match store.reader().last_event_id().await? {
        Some(last) => EventIds::after(last),
        None => EventIds::default(),
    };
    let settings = Settings {
        environment: config.environment.clone(),
        base_path: config.base_path.clone(),
        cors_origins: config.cors_origins.clone(),
        api_keys: config.api_keys.clone(),
        claims: config.claims.clone(),
        rates: config.rates,
        require_if_match: config.require_if_match,
        client_caching: config.client_caching,
        user_lifetime: config.user_lifetime,
        asset_lifetime: config.asset_lifetime,
        ..Settings::default()
    };
    // The table keeps the runtime that its catalog was opened on.
    let opened = background.spawn({
        let installation = installation.clone();
        async move { Ok::<_, Failure>(Questions::new(installation.lake().await?, installation.raw())) }
    });
    let questions = opened.await.map_err(Failure::while_("open the table"))??;
    Ok(Api::new(Parts {
        settings,
        redactor,
        cursors: Cursors::new(installation.key("cursors")?),
        ids,
        system: installation.system(),
        store: Arc::clone(store) as _,
        sink: Arc::clone(store) as _,
        assets: Arc::clone(assets) as _,
        queries: Some(questions.into_query_fn(background)),
        credentials,
    }))
}

/// Resolves at SIGTERM, at SIGINT, or once the store has stopped acknowledging.
async fn until_told_to_stop(mut signals: Signals, store: Arc<SqliteStore>) {
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return,
            _ = signals.interrupt.recv() => return,
            _ = heartbeat.tick() => if store.failure().is_some() { return },
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
        if let Err(error) = relay::drain(&store, installation.now()).await {
            tracing::error!(%error, "the relay failed; it goes on with the next run");
        }
    }
}

/// Takes over keys that are made and revoked meanwhile.
async fn keys_loop(mut keys: WatchedKeys, mut stopped: watch::Receiver<()>) {
    let mut ticks = tokio::time::interval(KEYS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = String::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => return,
        }
        match keys.look() {
            Ok(false) => continue,
            Ok(true) => {
                tracing::info!("took over the API keys of the data folder");
                said.clear();
            }
            Err(error) if error.to_string() != said => {
                said = error.to_string();
                tracing::error!(%error, "the API keys are those of before until their file can be read");
            }
            Err(_) => {}
        }
    }
}

/// Removes from the store what has had its time.
async fn retention_loop(
    store: Arc<SqliteStore>,
    installation: Installation,
    retention: retention::Retention,
    mut stopped: watch::Receiver<()>,
) {
    let mut ticks = tokio::time::interval(RETENTION_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => return,
        }
        // Dropped in the middle, the next run goes on from the last commit.
        let removed = tokio::select! {
            removed = retention::remove(&store, retention, installation.now()) => removed,
            _ = stopped.changed() => return,
        };
        match removed {
            Ok(removed) if removed.events > 0 => {
                tracing::info!(
                    events = removed.events,
                    batches = removed.batches,
                    "removed events that the raw log has"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "old events could not be removed; it goes on with the next run"),
        }
    }
}

/// Removes contents that no asset has.
async fn sweep_loop(assets: Arc<Folder>, installation: Installation, mut stopped: watch::Receiver<()>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => return,
        }
        // Dropped in the middle, the next run begins anew.
        let swept = tokio::select! {
            swept = assets.sweep(installation.now()) => swept,
            _ = stopped.changed() => return,
        };
        match swept {
            Ok(swept) if swept.removed > 0 => {
                tracing::info!(removed = swept.removed, "removed files that no asset has")
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the contents of assets could not be looked through"),
        }
    }
}

async fn compact_loop(installation: Installation, config: Config, mut stopped: watch::Receiver<()>) {
    let lake = match installation.lake().await {
        Ok(lake) => lake,
        Err(failure) => return tracing::error!(%failure, "nothing will be compacted"),
    };
    let mut ticks = tokio::time::interval(config.compact_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut kept_up = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => return,
        }
        let options = Options { memory: config.memory, limits: config.limits, ..Options::default() };
        let System { random, monotonic, .. } = installation.system();
        let begun = monotonic();
        let mut compaction = Compaction::new(&lake, installation.raw(), options);
        match installation.gateway(&config) {
            Ok(Some(gateway)) => compaction = compaction.with_gateway(gateway),
            Ok(None) => {}
            Err(failure) => tracing::error!(%failure, "the gateway's own log is left alone"),
        }
        let run = compaction.run(installation.now(), &random);
        // Dropped in the middle it is as if killed there: the next run goes on from the last commit (I2, I7).
        let done = tokio::select! {
            done = run => done,
            _ = stopped.changed() => return,
        };
        match done {
            Ok(summary) => {
                let elapsed = Duration::from_micros(monotonic().saturating_sub(begun));
                log(&summary, elapsed, installation.now());
            }
            Err(error) => tracing::error!(%error, "the compactor failed; it goes on with the next run"),
        }
        let now = installation.now().micros();
        if kept_up.is_some_and(|last: i64| now.abs_diff(last) < UPKEEP_EVERY.unsigned_abs()) {
            continue;
        }
        kept_up = Some(now);
        // It, too, may be dropped anywhere.
        tokio::select! {
            () = keep_up(&installation, &lake, config.memory) => {}
            _ = stopped.changed() => return,
        }
    }
}

async fn keep_up(installation: &Installation, lake: &Lake, memory: u64) {
    match installation.keep_up(lake, memory).await {
        Ok(done) if done.changed_anything() => tracing::info!(
            files_before = done.files_before,
            files_after = done.files_after,
            rows_rewritten = done.rows_rewritten,
            snapshots_expired = done.snapshots_expired,
            files_removed = done.files_removed,
            bytes_removed = done.bytes_removed,
            "kept the table up"
        ),
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "upkeep of the table failed; it goes on with the next run"),
    }
}

/// One line of metrics for a run that did something.
fn log(summary: &Summary, elapsed: Duration, now: Timestamp) {
    if summary.commits == 0 {
        return;
    }
    let counts = summary.counts;
    tracing::info!(
        objects = counts.objects,
        lines = counts.lines,
        rows = counts.rows,
        duplicates = counts.duplicates,
        quarantined = counts.quarantined,
        files = summary.files,
        bytes_in = summary.bytes_in,
        bytes_out = summary.bytes_out,
        commits = summary.commits,
        duration_ms = elapsed.as_millis(),
        events_per_s = per_second(counts.lines, elapsed),
        lag_s = summary.left.lag(now).as_secs(),
        "compacted"
    );
}
