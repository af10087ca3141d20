-- Owners of blobs are counted once for all parts that a statement writes. Those of a group of new documents come in one statement; counting row by row ran an
-- update of the blob, and its own count of bytes, for each. The blobs of new parts are locked by then.

CREATE FUNCTION parts_come() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE blobs b SET owners = b.owners + n.parts
    FROM (SELECT tenant, blob, count(*) AS parts FROM after GROUP BY tenant, blob) n
    WHERE b.tenant = n.tenant AND b.hash = n.blob;
    RETURN NULL;
END $$;

CREATE FUNCTION parts_go() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE blobs b SET owners = b.owners - n.parts
    FROM (SELECT tenant, blob, count(*) AS parts FROM before GROUP BY tenant, blob) n
    WHERE b.tenant = n.tenant AND b.hash = n.blob;
    RETURN NULL;
END $$;

DROP TRIGGER parts_own ON parts;
DROP TRIGGER parts_disown ON parts;
CREATE TRIGGER parts_come AFTER INSERT ON parts
REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION parts_come();
CREATE TRIGGER parts_go AFTER DELETE ON parts
REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION parts_go();
DROP FUNCTION parts_own;
DROP FUNCTION parts_disown;
