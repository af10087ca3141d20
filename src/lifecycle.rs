//! Serves until told to stop, then: readiness off, accept no more, drain requests and jobs, flush the index.

use std::future::IntoFuture;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::config::Role;
use crate::jobs::{run_workers, sweep};
use crate::router::{router, worker_router};
use crate::startup::{self, App, StartupError};

/// Serves `app` until a signal comes.
pub async fn serve(app: App) -> Result<(), StartupError> {
    let address = app.config.server.listen;
    let at = |error| StartupError::File { path: address.to_string().into(), error };
    let listener = TcpListener::bind(address).await.map_err(at)?;
    let bound = listener.local_addr().map_err(at)?;
    let announcement = startup::announce(&app.config, bound)?;
    let role = app.config.server.role;
    let workers = (role != Role::Api).then(|| tokio::spawn(run_workers(app.clone())));
    let background = [tokio::spawn(sweep(app.clone())), tokio::spawn(optimize_index(app.clone()))];
    tracing::info!(url = app.config.local_url(bound), profile = app.profile.name, ?role, "listening");
    for note in app.profile.notes() {
        tracing::warn!("{note}");
    }
    let stopping = app.stopping.clone();
    let routes = if role == Role::Worker { worker_router(&app) } else { router(&app) };
    let server = axum::serve(listener, routes).with_graceful_shutdown(async move { stopping.cancelled().await });
    let server = tokio::spawn(server.into_future());
    signal().await;
    shut_down(&app, server, workers).await;
    for task in background {
        task.abort();
    }
    if let Err(error) = app.index.flush().await {
        tracing::warn!(%error, "the last flush failed; unfinished jobs will run again");
    }
    std::fs::remove_file(announcement).ok();
    tracing::info!("stopped");
    Ok(())
}

async fn shut_down(app: &App, server: JoinHandle<std::io::Result<()>>, workers: Option<JoinHandle<()>>) {
    tracing::info!("stopping");
    app.stopping.cancel();
    app.bell.changed();
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
