-- The catalog. Ids are 16-byte UUIDs, digests 32 bytes, times milliseconds since the Unix epoch, lists and objects JSON.

CREATE TABLE collections (
    tenant      TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT,
    metadata    TEXT    NOT NULL,
    deleting    INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
    id           BLOB    NOT NULL PRIMARY KEY,
    tenant       TEXT    NOT NULL,
    collection   TEXT    NOT NULL,
    external_id  TEXT,
    title        TEXT,
    tags         TEXT    NOT NULL,
    metadata     TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    live_version INTEGER, -- the version that is found; null while none is
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    FOREIGN KEY (tenant, collection) REFERENCES collections (tenant, name)
) STRICT;

-- A document that is being deleted gives its external id back at once.
CREATE UNIQUE INDEX documents_external ON documents (tenant, collection, external_id)
    WHERE external_id IS NOT NULL AND status <> 'deleting';
CREATE INDEX documents_collection ON documents (tenant, collection, id, status);
CREATE INDEX documents_tenant ON documents (tenant, id, status);

CREATE TABLE parts (
    id         BLOB    NOT NULL PRIMARY KEY,
    tenant     TEXT    NOT NULL,
    document   BLOB    NOT NULL REFERENCES documents (id),
    version    INTEGER NOT NULL,
    ordinal    INTEGER NOT NULL,
    name       TEXT,
    modality   TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    blob       BLOB    NOT NULL,
    size_bytes INTEGER NOT NULL,
    status     TEXT    NOT NULL,
    error      TEXT,
    segments   INTEGER NOT NULL DEFAULT 0,
    facts      TEXT    NOT NULL DEFAULT '{}',
    UNIQUE (document, version, ordinal)
) STRICT;

CREATE INDEX parts_blob ON parts (tenant, blob);

CREATE TABLE segments (
    id       BLOB    NOT NULL PRIMARY KEY,
    tenant   TEXT    NOT NULL,
    document BLOB    NOT NULL REFERENCES documents (id),
    version  INTEGER NOT NULL,
    position INTEGER NOT NULL, -- in the document's version, over all parts
    part     BLOB    NOT NULL,
    modality TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    ordinal  INTEGER NOT NULL,
    place    TEXT    NOT NULL,
    text     TEXT,
    content  BLOB    NOT NULL,
    UNIQUE (document, version, position)
) STRICT;

CREATE INDEX segments_content ON segments (tenant, content);

CREATE TABLE models (
    id   INTEGER NOT NULL PRIMARY KEY,
    name TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TABLE vectors (
    tenant  TEXT    NOT NULL,
    content BLOB    NOT NULL,
    model   INTEGER NOT NULL REFERENCES models (id),
    vector  BLOB    NOT NULL, -- f16, little-endian
    UNIQUE (tenant, content, model)
) STRICT;

-- Content keys whose vectors may have no segment: looked at when no ingest of the tenant is under way.
CREATE TABLE vector_candidates (
    tenant  TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (tenant, content)
) STRICT, WITHOUT ROWID;

CREATE TABLE blobs (
    tenant     TEXT    NOT NULL,
    hash       BLOB    NOT NULL,
    size_bytes INTEGER NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('claimed', 'stored', 'deleting')),
    taken_at   INTEGER, -- when it was marked as being deleted
    owners     INTEGER NOT NULL DEFAULT 0, -- parts that have it, counted by the triggers below
    PRIMARY KEY (tenant, hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX blobs_unowned ON blobs (tenant, hash) WHERE owners = 0;

CREATE TRIGGER parts_own AFTER INSERT ON parts BEGIN
    UPDATE blobs SET owners = owners + 1 WHERE tenant = NEW.tenant AND hash = NEW.blob;
END;

CREATE TRIGGER parts_disown AFTER DELETE ON parts BEGIN
    UPDATE blobs SET owners = owners - 1 WHERE tenant = OLD.tenant AND hash = OLD.blob;
END;

CREATE TABLE blob_claims (
    tenant     TEXT    NOT NULL,
    claim      BLOB    NOT NULL,
    hash       BLOB    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, claim, hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX blob_claims_hash ON blob_claims (tenant, hash, expires_at);
CREATE INDEX blob_claims_expiry ON blob_claims (expires_at);

CREATE TABLE jobs (
    seq              INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- the order of enqueueing
    id               BLOB    NOT NULL UNIQUE,
    tenant           TEXT    NOT NULL,
    kind             TEXT    NOT NULL,
    document         BLOB,
    version          INTEGER,
    collection       TEXT, -- also of a document's job, so that the deletion of the collection waits for it
    state            TEXT    NOT NULL DEFAULT 'queued',
    revision         INTEGER NOT NULL DEFAULT 1,
    progress         TEXT    NOT NULL,
    parts            TEXT    NOT NULL DEFAULT '[]',
    error            TEXT,
    attempts         INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    worker           TEXT,
    ready_at         INTEGER NOT NULL, -- from when on a worker may take it: when it is due, or when its lease ends
    created_at       INTEGER NOT NULL,
    started_at       INTEGER,
    finished_at      INTEGER
) STRICT;

CREATE INDEX jobs_tenant ON jobs (tenant, id);
CREATE INDEX jobs_state ON jobs (tenant, state, id);
CREATE INDEX jobs_document ON jobs (tenant, document, id) WHERE document IS NOT NULL;
CREATE INDEX jobs_open ON jobs (tenant, seq) WHERE finished_at IS NULL;
CREATE INDEX jobs_open_document ON jobs (document, seq) WHERE finished_at IS NULL;
CREATE INDEX jobs_open_collection ON jobs (tenant, collection, seq) WHERE finished_at IS NULL;
CREATE INDEX jobs_ready ON jobs (ready_at) WHERE finished_at IS NULL;
-- Jobs that a worker has, or had and will have again.
CREATE INDEX jobs_begun ON jobs (tenant) WHERE finished_at IS NULL AND attempts > 0;

CREATE TABLE idempotency_keys (
    tenant     TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    request    BLOB    NOT NULL,
    status     INTEGER, -- null while the first request is being worked on
    location   TEXT,
    body       TEXT,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

CREATE TABLE api_keys (
    id          BLOB    NOT NULL PRIMARY KEY,
    tenant      TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    scopes      TEXT    NOT NULL,
    secret_hash BLOB    NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER
) STRICT;

-- Append-only.
CREATE TABLE generations (
    number     INTEGER NOT NULL PRIMARY KEY,
    profile    TEXT    NOT NULL,
    towers     TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
