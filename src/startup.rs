//! The only place that names concrete implementations: settings in, a running application out.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rand::RngCore;
use sensorium_catalog::{PostgresCatalog, PostgresOptions, SqliteCatalog, SqliteOptions};
use sensorium_domain::catalog::{ApiKey, Generation, GenerationState};
use sensorium_domain::ids::KeyId;
use sensorium_domain::index::IndexedSpace;
use sensorium_domain::{
    BlobHash, Catalog, CatalogError, Clock, IndexError, JobId, JobKind, Modality, ModelName, SystemClock, TenantId,
    VectorIndex,
};
use sensorium_index::{EdgeIndex, EdgeOptions, HnswOptions, QdrantIndex, QdrantOptions};
use sensorium_sources::ProfileFile;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::allowance::Allowances;
use crate::auth::{Auth, KEY_PREFIX};
use crate::backup;
use crate::blobs::{self, Blobs};
use crate::config::Config;
use crate::data_folder::{self, private_file};
use crate::jobs::{Bell, Places};
use crate::media_pool::MediaPool;
use crate::metrics::Metrics;
use crate::profile::{self, Chosen, Profile};
use crate::reindex::Recent;
use crate::search::{Admission, Rankings};

/// Everything that handlers and jobs share.
pub struct AppState {
    /// The settings in force.
    pub config: Config,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Collections, documents, jobs.
    pub catalog: Arc<dyn Catalog>,
    /// Vectors.
    pub index: Arc<dyn VectorIndex>,
    /// Part contents.
    pub blobs: Blobs,
    /// Models.
    pub profile: Profile,
    /// What has been done.
    pub metrics: Arc<Metrics>,
    /// The index's generation.
    pub generation: u32,
    /// Who callers are.
    pub auth: Arc<Auth>,
    /// What their tenants may use.
    pub allowances: Arc<Allowances>,
    /// Decoding and cutting for requests.
    pub media_pool: MediaPool,
    /// The same for jobs, so that no request waits for a place that a job has.
    pub job_media_pool: MediaPool,
    /// Parts that take memory and may be worked on at once.
    pub media_turns: Arc<Semaphore>,
    /// KiB of request bodies that may be held at once.
    pub body_memory: Arc<Semaphore>,
    /// Who may search now.
    pub searches: Arc<Admission>,
    /// Rankings that are being paged through.
    pub rankings: Rankings,
    /// Wakes workers and waiters.
    pub bell: Bell,
    /// Where jobs run.
    pub places: Places,
    /// Cancelled when the shutdown begins.
    pub stopping: CancellationToken,
    /// Names this process in leases.
    pub instance: String,
    /// What was asked lately.
    pub recent: Recent,
    /// Told when another generation has become live: this application has to make room for one that runs it.
    pub overtaken: Notify,
    /// The data folder's lock, held as long as the process lives.
    lock: Arc<File>,
}

/// The shared application.
pub type App = Arc<AppState>;

impl AppState {
    /// 128 random bits for ids.
    #[allow(clippy::unused_self)] // part of the application so that randomness has one source
    pub fn randomness(&self) -> u128 {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        u128::from_be_bytes(bytes)
    }

    /// A fresh request id.
    pub fn new_request_id(&self) -> String {
        format!("req_{:032x}", self.randomness())
    }
}

/// Why the application could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// Another process has the data folder.
    #[error("the data folder {0} is in use by another process; stop it, or choose another with --data-dir")]
    Locked(PathBuf),
    /// A file or folder.
    #[error("{path}: {error}")]
    File {
        /// Where.
        path: PathBuf,
        /// What.
        error: std::io::Error,
    },
    /// The threads of jobs.
    #[error("threads of jobs: {0}")]
    Threads(std::io::Error),
    /// The catalog.
    #[error("catalog: {0}")]
    Catalog(#[from] CatalogError),
    /// The index.
    #[error("index: {0}")]
    Index(#[from] IndexError),
    /// The client that fetches the token issuer's keys.
    #[error("auth: {0}")]
    Auth(#[from] reqwest::Error),
    /// The blobs.
    #[error("blobs: {0}")]
    Blobs(#[from] blobs::OpenError),
    /// The models.
    #[error("{0}")]
    Profile(#[from] profile::ProfileError),
    /// The data folder was made with other models.
    #[error(
        "the live generation was made with the profile {was}, and this is {is}; their vectors do not mix. Leave profile.name at auto and run `sensorium reindex --profile` for the other one, or take another data folder"
    )]
    Generation {
        /// What the folder has.
        was: String,
        /// What was asked for.
        is: String,
    },
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> StartupError + '_ {
    move |error| StartupError::File { path: path.to_owned(), error }
}

/// Builds the application: SQLite or Postgres, Qdrant Edge or a Qdrant server, a folder or a bucket, models in process.
pub async fn start(config: Config) -> Result<App, StartupError> {
    let lock = lock(&config)?;
    start_with(config, lock, Arc::default()).await
}

/// The same with a lock on the data folder that is held already, and counts that go on.
pub async fn start_with(config: Config, lock: Arc<File>, metrics: Arc<Metrics>) -> Result<App, StartupError> {
    let folder = config.storage.data_dir.clone();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let catalog = open_catalog(&config, &folder, &clock).await?;
    let kept = catalog.generation().await?;
    let chosen = profile::choose(&config, kept.as_ref().map(source))?;
    if let Some(kept) = kept.as_ref().filter(|kept| kept.profile != chosen.file.name) {
        return Err(StartupError::Generation { was: describe(kept), is: chosen.file.name });
    }
    // Models are read and the index is opened at once: each takes its time.
    let (spaces, number) = (chosen.spaces(), kept.as_ref().map_or(FIRST_GENERATION, |kept| kept.number));
    let loading = profile::load(&config, chosen);
    let (profile, index) = tokio::join!(loading, open_index(&config, &spaces, &folder, number));
    let profile = profile?;
    let generation = generation(&*catalog, kept, &profile, &config, &*clock).await?;
    let opened = index?;
    opened.make_current().await?;
    let Opened { index, is_fresh, .. } = opened;
    let blobs = open_blobs(&config, &folder)?.keeping_fresh(config.blobs.fresh_bytes);
    let secret = hs256_secret(&config, &folder)?;
    if config.auth.first_key {
        first_key(&config, &*catalog, &*clock, &folder).await?;
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let app = Arc::new(AppState {
        auth: Arc::new(Auth::new(&secret, config.auth.clone(), catalog.clone())?),
        allowances: Arc::new(Allowances::new(&config.tenants)),
        media_pool: MediaPool::new(cores),
        job_media_pool: MediaPool::new(cores),
        media_turns: Arc::new(Semaphore::new(config.jobs.media_workers)),
        body_memory: Arc::new(Semaphore::new((config.server.max_body_memory_bytes / 1024).min(Semaphore::MAX_PERMITS))),
        searches: Arc::new(Admission::new(&config.search, cores)),
        rankings: Rankings::new(config.search.ranking_cache_bytes, config.search.ranking_keep_ms),
        bell: Bell::default(),
        places: Places::new(config.jobs.workers),
        stopping: CancellationToken::new(),
        instance: format!("{}-{:08x}", std::process::id(), rand::rng().next_u32()),
        generation,
        index,
        config,
        clock,
        catalog,
        blobs,
        profile,
        metrics,
        recent: Recent::default(),
        overtaken: Notify::new(),
        lock,
    });
    if is_fresh {
        fill_index(&app).await?;
    }
    Ok(app)
}

/// The application as it would be with another generation live: its profile, its index, its segments; everything else is shared. With the
/// towers that were loaded, and whether its index is empty.
pub async fn beside(
    app: &App,
    generation: &Generation,
) -> Result<(App, Vec<(String, Modality, ModelName)>, bool), StartupError> {
    let config = &app.config;
    let chosen = Chosen { file: profile::read(source(generation))?, note: None };
    let spaces = chosen.spaces();
    let opening = open_index(config, &spaces, &config.storage.data_dir, generation.number);
    let (profile, opened) = tokio::join!(profile::load(config, chosen), opening);
    let (profile, Opened { index, is_fresh, .. }) = (profile?, opened?);
    let towers = towers(&profile);
    let beside = AppState {
        config: config.clone(),
        clock: app.clock.clone(),
        catalog: app.catalog.at_generation(generation.number),
        index,
        blobs: app.blobs.clone(),
        profile,
        metrics: app.metrics.clone(),
        generation: generation.number,
        auth: app.auth.clone(),
        allowances: app.allowances.clone(),
        media_pool: app.media_pool.clone(),
        job_media_pool: app.job_media_pool.clone(),
        media_turns: app.media_turns.clone(),
        body_memory: app.body_memory.clone(),
        searches: app.searches.clone(),
        rankings: Rankings::new(0, 0),
        bell: Bell::default(),
        places: Places::new(0),
        stopping: app.stopping.clone(),
        instance: app.instance.clone(),
        recent: Recent::default(),
        overtaken: Notify::new(),
        lock: app.lock.clone(),
    };
    Ok((Arc::new(beside), towers, is_fresh))
}

/// Where the profile of a generation is read from.
fn source(generation: &Generation) -> &str {
    generation.source.as_deref().unwrap_or(&generation.profile)
}

/// Postgres where a URL is given, else SQLite in the data folder.
async fn open_catalog(
    config: &Config,
    folder: &Path,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Catalog>, StartupError> {
    let settings = &config.catalog;
    if settings.url.is_empty() {
        let options = SqliteOptions { take_over: true, ..SqliteOptions::default() };
        return Ok(Arc::new(SqliteCatalog::open(&folder.join(data_folder::CATALOG), clock.clone(), options).await?));
    }
    let options = PostgresOptions {
        connections: settings.connections,
        patience: Duration::from_millis(settings.patience_ms),
        statement_timeout: Duration::from_millis(settings.statement_timeout_ms),
        ..PostgresOptions::default()
    };
    Ok(Arc::new(PostgresCatalog::open(&settings.url, clock.clone(), options).await?))
}

/// Copies the data folder's catalog, which a server may be writing to, to `to`; what the copy knows.
pub async fn copy_catalog(folder: &Path, to: &Path) -> Result<backup::Known, CatalogError> {
    SqliteCatalog::copy(&folder.join(data_folder::CATALOG), to).await?;
    let copy = SqliteCatalog::open(to, Arc::new(SystemClock), SqliteOptions::default()).await?;
    let known = backup::Known::by(&copy).await;
    copy.close().await; // so that the file has everything
    known
}

/// Brings the schema of the configured catalog up to date, as every start does.
pub async fn migrate(config: &Config) -> Result<(), StartupError> {
    let folder = &config.storage.data_dir;
    let _lock = if config.catalog.url.is_empty() { Some(lock(config)?) } else { None };
    open_catalog(config, folder, &(Arc::new(SystemClock) as Arc<dyn Clock>)).await.map(drop)
}

/// In a bucket where a URL is given, else in the data folder.
fn open_blobs(config: &Config, folder: &Path) -> Result<Blobs, StartupError> {
    if !config.blobs.url.is_empty() {
        return Ok(Blobs::in_bucket(&config.blobs)?);
    }
    let folder = folder.join(data_folder::BLOBS);
    make_private(&folder)?;
    Ok(Blobs::in_folder(&folder)?)
}

fn make_private(folder: &Path) -> Result<(), StartupError> {
    fs::create_dir_all(folder).map_err(file_error(folder))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        match fs::set_permissions(folder, fs::Permissions::from_mode(0o700)) {
            // The root of a volume, which belongs to whoever mounted it: who may enter is decided there.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
            set => set.map_err(file_error(folder))?,
        }
    }
    Ok(())
}

/// Makes the data folder if need be and locks it: one process a data folder. The lock goes with the process, however it ends.
pub fn lock(config: &Config) -> Result<Arc<File>, StartupError> {
    let folder = &config.storage.data_dir;
    make_private(folder)?;
    let path = folder.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(file_error(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(Arc::new(file)),
        Err(TryLockError::WouldBlock) => Err(StartupError::Locked(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(StartupError::File { path, error }),
    }
}

/// The number of the generation that a catalog begins with.
const FIRST_GENERATION: u32 = 1;

/// The catalog's generation, which is `kept` if it has one: made at the first start, checked at every later one.
async fn generation(
    catalog: &dyn Catalog,
    kept: Option<Generation>,
    profile: &Profile,
    config: &Config,
    clock: &dyn Clock,
) -> Result<u32, StartupError> {
    let configured = &config.profile.name;
    let wanted = Generation {
        number: FIRST_GENERATION,
        profile: profile.name.clone(),
        source: ProfileFile::is_path(configured).then(|| configured.clone()),
        towers: towers(profile),
        state: GenerationState::Live,
        recall: None,
        min_overlap: 0.0,
        created_at: clock.now(),
    };
    let mut found = kept;
    if found.is_none() {
        match catalog.put_generation(&wanted).await {
            Ok(()) => return Ok(wanted.number),
            // Another server that shares the catalog has started just now.
            Err(CatalogError::Conflict(_)) => found = catalog.generation().await?,
            Err(error) => return Err(error.into()),
        }
    }
    match found {
        None => Err(CatalogError::Internal("a generation was refused, and there is none".to_owned()).into()),
        Some(found) if found.profile == wanted.profile && found.towers == wanted.towers => Ok(found.number),
        Some(found) => Err(StartupError::Generation { was: describe(&found), is: describe(&wanted) }),
    }
}

/// Space, modality and model of every tower, in order.
fn towers(profile: &Profile) -> Vec<(String, Modality, ModelName)> {
    let spaces = profile.encoder.spaces().iter();
    let mut towers: Vec<_> = spaces
        .flat_map(|space| {
            space.towers.iter().map(|tower| (space.name.to_string(), tower.modality, tower.model.clone()))
        })
        .collect();
    towers.sort();
    towers
}

fn describe(generation: &Generation) -> String {
    let towers: Vec<_> = generation.towers.iter().map(|(_, modality, model)| format!("{modality}: {model}")).collect();
    format!("{} ({})", generation.profile, towers.join(", "))
}

/// An index that was opened.
struct Opened {
    index: Arc<dyn VectorIndex>,
    /// It is empty and must be filled.
    is_fresh: bool,
    /// Where it is on a server, to be named as the current one.
    on_server: Option<Arc<QdrantIndex>>,
}

impl Opened {
    async fn make_current(&self) -> Result<(), IndexError> {
        match &self.on_server {
            Some(index) => index.make_current().await,
            None => Ok(()),
        }
    }
}

/// Opens the index of a generation: on the server that the settings name, or else in the data folder.
async fn open_index(
    config: &Config,
    spaces: &[IndexedSpace],
    folder: &Path,
    generation: u32,
) -> Result<Opened, StartupError> {
    if config.index.url.is_empty() {
        let (config, spaces, path) = (config.clone(), spaces.to_vec(), index_folder(folder, generation));
        let opening = tokio::task::spawn_blocking(move || open_edge(&config, &spaces, &path));
        let (index, is_fresh) = opening.await.map_err(|panic| IndexError::Internal(panic.to_string()))??;
        return Ok(Opened { index: Arc::new(index), is_fresh, on_server: None });
    }
    let index = Arc::new(QdrantIndex::open(server_options(config), spaces, generation).await?);
    let is_fresh = index.stats().await?.points == 0;
    Ok(Opened { index: index.clone(), is_fresh, on_server: Some(index) })
}

/// The folder of a generation's index.
fn index_folder(folder: &Path, generation: u32) -> PathBuf {
    folder.join(if generation == FIRST_GENERATION { "index".to_owned() } else { format!("index-g{generation}") })
}

/// Removes the index of a generation that is not live and that nobody has open.
pub async fn remove_index(config: &Config, generation: u32) -> Result<(), StartupError> {
    if !config.index.url.is_empty() {
        return Ok(QdrantIndex::remove(server_options(config), generation).await?);
    }
    let path = index_folder(&config.storage.data_dir, generation);
    let removed = tokio::fs::remove_dir_all(&path).await;
    removed.or_else(
        |error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(file_error(&path)(error)) },
    )
}

fn hnsw_options(config: &Config) -> HnswOptions {
    HnswOptions {
        m: config.index.hnsw_m,
        ef_construct: config.index.hnsw_ef_construct,
        ef: config.index.hnsw_ef,
        ..HnswOptions::default()
    }
}

fn server_options(config: &Config) -> QdrantOptions {
    let index = &config.index;
    QdrantOptions {
        api_key: (!index.api_key.is_empty()).then(|| index.api_key.clone()),
        name: index.name.clone(),
        connect_timeout: Duration::from_millis(index.connect_timeout_ms),
        read_timeout: Duration::from_millis(index.read_timeout_ms),
        write_timeout: Duration::from_millis(index.write_timeout_ms),
        replication_factor: index.replication_factor,
        shard_number: NonZeroU32::new(index.shard_number),
        write_consistency_factor: index.write_consistency_factor,
        quantization: index.quantization,
        vectors_on_disk: index.vectors_on_disk,
        payload_on_disk: index.payload_on_disk,
        indexing_threshold_kb: index.graph_above_kb,
        hnsw: hnsw_options(config),
        ..QdrantOptions::new(&index.url)
    }
}

/// Opens the folder's index. One that is damaged or of another version is put aside and made anew.
fn open_edge(config: &Config, spaces: &[IndexedSpace], path: &Path) -> Result<(EdgeIndex, bool), StartupError> {
    let fresh = !path.exists();
    let mut options = EdgeOptions {
        search_threads: NonZeroUsize::new(config.search.concurrency),
        hnsw: hnsw_options(config),
        ..EdgeOptions::default()
    };
    options.optimizer.indexing_threshold_kb = config.index.graph_above_kb;
    match EdgeIndex::open(path, spaces, options.clone()) {
        Ok(index) => Ok((index, fresh)),
        Err(error @ (IndexError::Corrupt(_) | IndexError::Outdated(_))) => {
            let aside = path.with_extension(format!("aside-{:08x}", rand::rng().next_u32()));
            tracing::error!(cause = %error, aside = %aside.display(), "the index cannot be read; it is put aside and built anew from the kept vectors");
            fs::rename(path, &aside).map_err(file_error(path))?;
            Ok((EdgeIndex::open(path, spaces, options)?, true))
        }
        Err(error) => Err(error.into()),
    }
}

/// An index that was made anew beside a catalog with documents is filled from the kept vectors by a job.
async fn fill_index(app: &App) -> Result<(), StartupError> {
    if app.catalog.live_documents(None, 1).await?.is_empty() {
        return Ok(());
    }
    let id = JobId::new(app.clock.now(), app.randomness());
    app.catalog.enqueue(&app.config.auth.first_tenant, id, JobKind::Rebuild).await?;
    tracing::warn!(job = %id, "the index was empty; it is being filled from the kept vectors");
    Ok(())
}

/// The configured secret, or the folder's own, made at the first start.
pub fn hs256_secret(config: &Config, folder: &Path) -> Result<Vec<u8>, StartupError> {
    if !config.auth.hs256_secret.is_empty() {
        return Ok(config.auth.hs256_secret.as_bytes().to_vec());
    }
    let path = folder.join(data_folder::HS256_SECRET);
    if !path.exists() {
        write_private(&path, &random_text())?;
    }
    Ok(fs::read_to_string(&path).map_err(file_error(&path))?.trim().as_bytes().to_vec())
}

/// Makes the first key. It stands in the folder's file `key` so that the command line finds it; the catalog has its hash.
async fn first_key(
    config: &Config,
    catalog: &dyn Catalog,
    clock: &dyn Clock,
    folder: &Path,
) -> Result<(), StartupError> {
    let path = folder.join(data_folder::KEY);
    let secret = match fs::read_to_string(&path) {
        Ok(secret) => secret.trim().to_owned(),
        Err(_) => format!("{KEY_PREFIX}{}", random_text()),
    };
    let hash = BlobHash::of(secret.as_bytes());
    if catalog.key_by_secret(&hash).await?.is_none() {
        let scopes = ["read", "write", "caption", "admin"].map(str::to_owned).to_vec();
        let tenant: TenantId = config.auth.first_tenant.clone();
        let mut random = [0; 16];
        rand::rng().fill_bytes(&mut random);
        let id = KeyId::new(clock.now(), u128::from_be_bytes(random));
        let key = ApiKey {
            id,
            name: "first start".to_owned(),
            tenant,
            scopes,
            created_at: clock.now(),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        match catalog.put_key(&key, &hash).await {
            // It is there and has been revoked: it stays so.
            Ok(()) | Err(CatalogError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if !path.exists() {
        write_private(&path, &secret)?;
    }
    Ok(())
}

fn random_text() -> String {
    let half = || {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        u128::from_be_bytes(bytes)
    };
    format!("{:032x}{:032x}", half(), half())
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str) -> Result<(), StartupError> {
    let mut file = private_file().create(true).truncate(true).open(path).map_err(file_error(path))?;
    writeln!(file, "{text}").and_then(|()| file.sync_all()).map_err(file_error(path))
}

/// Tells the command line where this server listens; removed at the end of a clean shutdown.
pub fn announce(config: &Config, bound: SocketAddr) -> Result<PathBuf, StartupError> {
    let path = config.storage.data_dir.join("server.json");
    let text = serde_json::json!({"url": config.local_url(bound), "pid": std::process::id()}).to_string();
    write_private(&path, &text)?;
    Ok(path)
}
