//! Serves until told to stop, then: readiness off, accept no more, drain requests and jobs, flush the index.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sensorium_inference::yielding_to_searches;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Role};
use crate::jobs::{JobThreads, run_workers, sweep};
use crate::reindex::keep_noting;
use crate::router::{router, worker_router};
use crate::startup::{self, App, StartupError};

/// How often a process looks whether another one has made another generation live.
const LOOK_FOR_GENERATION: Duration = Duration::from_secs(2);

/// How long the threads of jobs may take to end what they are in the middle of, when the deadline for jobs is over.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Why serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The process was told to stop.
    Told,
    /// Another generation of the index is live: an application that runs it takes over.
    Overtaken,
}

/// Serves until a signal comes. When another generation of the index becomes live, an application that runs it takes the place of the one
/// before; the address stays open meanwhile, so that who connects waits for a moment and is not refused.
pub async fn run(config: Config) -> Result<(), StartupError> {
    let lock = startup::lock(&config)?;
    let mut app = startup::start_with(config.clone(), lock.clone(), Arc::default()).await?;
    let address = config.server.listen;
    let at = |error| StartupError::File { path: address.to_string().into(), error };
    let listener = std::net::TcpListener::bind(address).map_err(at)?;
    listener.set_nonblocking(true).map_err(at)?;
    // One listener to signals for all applications: one that comes between two of them counts too.
    let told = CancellationToken::new();
    let telling = told.clone();
    tokio::spawn(async move {
        signal().await;
        telling.cancel();
    });
    loop {
        let metrics = app.metrics.clone();
        let accepting = listener.try_clone().and_then(TcpListener::from_std).map_err(at)?;
        let bound = accepting.local_addr().map_err(at)?;
        if serve(app, accepting, bound, &told).await? == End::Told {
            return Ok(());
        }
        app = startup::start_with(config.clone(), lock.clone(), metrics).await?;
    }
}

async fn serve(
    app: App,
    listener: TcpListener,
    bound: SocketAddr,
    told: &CancellationToken,
) -> Result<End, StartupError> {
    let announcement = startup::announce(&app.config, bound)?;
    let role = app.config.server.role;
    // Where requests and jobs share the cores, jobs come behind.
    let threads = match role {
        Role::All => Some(JobThreads::start(yielding_to_searches()).map_err(StartupError::Threads)?),
        Role::Api | Role::Worker => None,
    };
    let for_jobs = threads.as_ref().and_then(JobThreads::handle).cloned().unwrap_or_else(Handle::current);
    let workers = (role != Role::Api).then(|| for_jobs.spawn(run_workers(app.clone())));
    let background = [for_jobs.spawn(sweep(app.clone())), for_jobs.spawn(optimize_index(app.clone()))];
    let noting = tokio::spawn(keep_noting(app.clone()));
    tracing::info!(url = app.config.local_url(bound), profile = app.profile.name, ?role, "listening");
    for note in app.profile.notes() {
        tracing::warn!("{note}");
    }
    let stopping = app.stopping.clone();
    let routes = if role == Role::Worker { worker_router(&app) } else { router(&app) };
    let server = axum::serve(listener, routes).with_graceful_shutdown(async move { stopping.cancelled().await });
    let server = tokio::spawn(server.into_future());
    let end = tokio::select! {
        () = told.cancelled() => End::Told,
        () = overtaken(&app) => End::Overtaken,
    };
    shut_down(&app, server, workers).await;
    for task in background {
        task.abort();
    }
    noting.await.ok();
    if let Some(threads) = threads {
        threads.stop(LAST_WRITES).await;
    }
    if let Err(error) = app.index.flush().await {
        tracing::warn!(%error, "the last flush failed; unfinished jobs will run again");
    }
    if end == End::Told {
        std::fs::remove_file(announcement).ok();
    }
    tracing::info!(?end, "stopped");
    Ok(end)
}

/// Waits until another generation than the application's is live.
async fn overtaken(app: &App) {
    let mut every = tokio::time::interval(LOOK_FOR_GENERATION);
    loop {
        tokio::select! {
            () = app.overtaken.notified() => {}
            _ = every.tick() => {}
        }
        match app.catalog.generation().await {
            Ok(Some(live)) if live.number != app.generation => {
                tracing::info!(was = app.generation, is = live.number, "another generation is live");
                return;
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the live generation was not asked for"),
        }
    }
}

async fn shut_down(app: &App, server: JoinHandle<std::io::Result<()>>, workers: Option<JoinHandle<()>>) {
    tracing::info!("stopping");
    app.stopping.cancel();
    let deadline = Duration::from_millis(app.config.server.shutdown_deadline_ms);
    let drained = tokio::time::timeout(deadline, async {
        server.await.ok();
        if let Some(workers) = workers {
            workers.await.ok();
        }
    });
    if drained.await.is_err() {
        tracing::warn!("the deadline is over (server.shutdown_deadline_ms); what is left will run again");
    }
}

async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    tokio::signal::ctrl_c().await.ok();
}

/// Builds graphs for new points now and then, off the request path.
async fn optimize_index(app: App) {
    let mut every = tokio::time::interval(Duration::from_millis(app.config.index.optimize_interval_ms.max(1000)));
    every.tick().await;
    let mut optimized_at = 0;
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            _ = every.tick() => {}
        }
        let points = app.index.stats().await.map_or(0, |stats| stats.points);
        if points == optimized_at {
            continue;
        }
        match app.index.optimize().await {
            Ok(done) => {
                optimized_at = points;
                tracing::debug!(points, done, "index optimized");
            }
            Err(error) => tracing::warn!(%error, "optimize failed"),
        }
    }
}
