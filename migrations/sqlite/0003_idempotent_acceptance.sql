-- The job that a request under a key has started: known from the moment the document is accepted, before its answer is.

ALTER TABLE idempotency_keys ADD COLUMN job BLOB;
