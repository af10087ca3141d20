-- Generations side by side: each has segments of its own, and while one is built beside the live one, a list of the documents that it has.

CREATE TABLE segments_of_generations (
    id         BLOB    NOT NULL PRIMARY KEY,
    tenant     TEXT    NOT NULL,
    document   BLOB    NOT NULL REFERENCES documents (id),
    version    INTEGER NOT NULL,
    generation INTEGER NOT NULL DEFAULT 1,
    position   INTEGER NOT NULL, -- in the document's version, over all parts
    part       BLOB    NOT NULL,
    modality   TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    ordinal    INTEGER NOT NULL,
    place      TEXT    NOT NULL,
    text       TEXT,
    content    BLOB    NOT NULL,
    UNIQUE (document, version, generation, position)
) STRICT;

INSERT INTO segments_of_generations
    (id, tenant, document, version, position, part, modality, kind, ordinal, place, text, content)
SELECT id, tenant, document, version, position, part, modality, kind, ordinal, place, text, content FROM segments;
DROP TABLE segments;
ALTER TABLE segments_of_generations RENAME TO segments;
CREATE INDEX segments_content ON segments (tenant, content);

ALTER TABLE generations ADD COLUMN state TEXT NOT NULL DEFAULT 'live' CHECK (state IN ('building', 'switching', 'live', 'retired'));
ALTER TABLE generations ADD COLUMN source TEXT;  -- where its profile is read from, when that is not its name
ALTER TABLE generations ADD COLUMN recall TEXT;  -- how its answers compared with those of the one before
ALTER TABLE generations ADD COLUMN min_overlap TEXT NOT NULL DEFAULT '0'; -- a number from 0 to 1
CREATE UNIQUE INDEX generations_live ON generations (state) WHERE state = 'live';

-- Which version of which document a generation has that is not live. No reference: that a document has gone is found out here.
CREATE TABLE generation_documents (
    generation INTEGER NOT NULL,
    document   BLOB    NOT NULL,
    tenant     TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (generation, document)
) STRICT, WITHOUT ROWID;

-- What was asked lately, to compare generations by.
CREATE TABLE recent_queries (
    seq    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant TEXT    NOT NULL,
    query  TEXT    NOT NULL
) STRICT;
