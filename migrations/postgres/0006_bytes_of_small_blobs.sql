-- Small blobs lie here and not in the blob store: they are written with the document that brings them.
ALTER TABLE blobs ADD COLUMN bytes BYTEA;
