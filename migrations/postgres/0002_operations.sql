-- For operators and quotas: keys that were used and revoked, an audit log, jobs that have ended, what each tenant has.

ALTER TABLE api_keys ADD COLUMN last_used_at BIGINT;
ALTER TABLE api_keys ADD COLUMN revoked_at BIGINT;
CREATE INDEX api_keys_tenant ON api_keys (tenant, id);

CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE audit (
    number  BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant  TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    request TEXT,
    detail  TEXT NOT NULL
);

CREATE INDEX audit_tenant ON audit (tenant, number);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- Counted by the triggers below. They run once a statement: a row that is written once for each of many rows becomes slow.
CREATE TABLE usage (
    tenant     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    documents  BIGINT NOT NULL DEFAULT 0, -- that are not being deleted
    blob_bytes BIGINT NOT NULL DEFAULT 0  -- of blobs that have an owner
);

INSERT INTO usage (tenant, documents)
SELECT tenant, count(*) FROM documents WHERE status <> 'deleting' GROUP BY tenant;

INSERT INTO usage (tenant, blob_bytes)
SELECT tenant, sum(size_bytes) FROM blobs WHERE owners > 0 GROUP BY tenant
ON CONFLICT (tenant) DO UPDATE SET blob_bytes = excluded.blob_bytes;

CREATE FUNCTION count_documents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO usage (tenant, documents)
        SELECT tenant, count(*) FROM after WHERE status <> 'deleting' GROUP BY tenant
        ON CONFLICT (tenant) DO UPDATE SET documents = usage.documents + excluded.documents;
    ELSIF TG_OP = 'DELETE' THEN
        UPDATE usage u SET documents = u.documents - gone.documents
        FROM (SELECT tenant, count(*) AS documents FROM before WHERE status <> 'deleting' GROUP BY tenant) gone
        WHERE u.tenant = gone.tenant;
    ELSE
        UPDATE usage u SET documents = u.documents - doomed.documents
        FROM (SELECT a.tenant, count(*) AS documents FROM before b JOIN after a ON a.id = b.id
              WHERE b.status <> 'deleting' AND a.status = 'deleting' GROUP BY a.tenant) doomed
        WHERE u.tenant = doomed.tenant;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER documents_come AFTER INSERT ON documents
REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_documents();
CREATE TRIGGER documents_change AFTER UPDATE ON documents
REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_documents();
CREATE TRIGGER documents_go AFTER DELETE ON documents
REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION count_documents();

CREATE FUNCTION count_blob_bytes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO usage (tenant, blob_bytes)
        SELECT tenant, sum(size_bytes) FROM after WHERE owners > 0 GROUP BY tenant
        ON CONFLICT (tenant) DO UPDATE SET blob_bytes = usage.blob_bytes + excluded.blob_bytes;
    ELSE
        INSERT INTO usage (tenant, blob_bytes)
        SELECT a.tenant, sum(CASE WHEN a.owners > 0 THEN a.size_bytes ELSE -a.size_bytes END)
        FROM before b JOIN after a ON a.tenant = b.tenant AND a.hash = b.hash
        WHERE (a.owners > 0) <> (b.owners > 0) GROUP BY a.tenant
        ON CONFLICT (tenant) DO UPDATE SET blob_bytes = usage.blob_bytes + excluded.blob_bytes;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER blobs_come AFTER INSERT ON blobs
REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_blob_bytes();
CREATE TRIGGER blobs_change AFTER UPDATE ON blobs
REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_blob_bytes();
