-- The job that a request under a key has started: known from the moment the document is accepted, before its answer is.

ALTER TABLE idempotency_keys ADD COLUMN job UUID;

-- How many jobs wait and how many run, whoever's they are.
CREATE INDEX jobs_open_state ON jobs (state) WHERE finished_at IS NULL;
