-- Generations side by side: each has segments of its own, and while one is built beside the live one, a list of the documents that it has.

ALTER TABLE segments ADD COLUMN generation BIGINT NOT NULL DEFAULT 1;
ALTER TABLE segments DROP CONSTRAINT segments_document_version_position_key;
CREATE UNIQUE INDEX segments_place ON segments (document, version, generation, position);

ALTER TABLE generations ADD COLUMN state TEXT NOT NULL DEFAULT 'live' CHECK (state IN ('building', 'switching', 'live', 'retired'));
ALTER TABLE generations ADD COLUMN source TEXT; -- where its profile is read from, when that is not its name
ALTER TABLE generations ADD COLUMN recall TEXT; -- how its answers compared with those of the one before
ALTER TABLE generations ADD COLUMN min_overlap TEXT NOT NULL DEFAULT '0'; -- a number from 0 to 1
CREATE UNIQUE INDEX generations_live ON generations (state) WHERE state = 'live';

-- Which version of which document a generation has that is not live. No reference: that a document has gone is found out here.
CREATE TABLE generation_documents (
    generation BIGINT NOT NULL,
    document   UUID   NOT NULL,
    tenant     TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (generation, document)
);

-- What was asked lately, to compare generations by.
CREATE TABLE recent_queries (
    seq    BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL,
    query  TEXT NOT NULL
);
