-- For operators and quotas: keys that were used and revoked, an audit log, jobs that have ended, what each tenant has.

ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER;
ALTER TABLE api_keys ADD COLUMN revoked_at INTEGER;
CREATE INDEX api_keys_tenant ON api_keys (tenant, id);

CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE audit (
    number  INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant  TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    request TEXT,
    detail  TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_tenant ON audit (tenant, number);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- Counted by the triggers below.
CREATE TABLE usage (
    tenant     TEXT    NOT NULL PRIMARY KEY,
    documents  INTEGER NOT NULL DEFAULT 0, -- that are not being deleted
    blob_bytes INTEGER NOT NULL DEFAULT 0  -- of blobs that have an owner
) STRICT, WITHOUT ROWID;

INSERT INTO usage (tenant, documents)
SELECT tenant, count(*) FROM documents WHERE status <> 'deleting' GROUP BY tenant;

INSERT INTO usage (tenant, blob_bytes)
SELECT tenant, sum(size_bytes) FROM blobs WHERE owners > 0 GROUP BY tenant
ON CONFLICT (tenant) DO UPDATE SET blob_bytes = excluded.blob_bytes;

CREATE TRIGGER documents_come AFTER INSERT ON documents WHEN NEW.status <> 'deleting' BEGIN
    INSERT INTO usage (tenant, documents) VALUES (NEW.tenant, 1)
    ON CONFLICT (tenant) DO UPDATE SET documents = documents + 1;
END;

CREATE TRIGGER documents_are_doomed AFTER UPDATE OF status ON documents
WHEN OLD.status <> 'deleting' AND NEW.status = 'deleting' BEGIN
    UPDATE usage SET documents = documents - 1 WHERE tenant = NEW.tenant;
END;

CREATE TRIGGER documents_go AFTER DELETE ON documents WHEN OLD.status <> 'deleting' BEGIN
    UPDATE usage SET documents = documents - 1 WHERE tenant = OLD.tenant;
END;

CREATE TRIGGER blobs_come_owned AFTER INSERT ON blobs WHEN NEW.owners > 0 BEGIN
    INSERT INTO usage (tenant, blob_bytes) VALUES (NEW.tenant, NEW.size_bytes)
    ON CONFLICT (tenant) DO UPDATE SET blob_bytes = blob_bytes + NEW.size_bytes;
END;

CREATE TRIGGER blobs_are_owned AFTER UPDATE OF owners ON blobs WHEN OLD.owners = 0 AND NEW.owners > 0 BEGIN
    INSERT INTO usage (tenant, blob_bytes) VALUES (NEW.tenant, NEW.size_bytes)
    ON CONFLICT (tenant) DO UPDATE SET blob_bytes = blob_bytes + NEW.size_bytes;
END;

CREATE TRIGGER blobs_are_left AFTER UPDATE OF owners ON blobs WHEN OLD.owners > 0 AND NEW.owners = 0 BEGIN
    UPDATE usage SET blob_bytes = blob_bytes - NEW.size_bytes WHERE tenant = NEW.tenant;
END;
