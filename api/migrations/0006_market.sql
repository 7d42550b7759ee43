-- The business day: whether the market is open, and which operations are wanted cancelled. Times are microseconds since the Unix
-- epoch.

ALTER TABLE operation ADD COLUMN cancel_wanted BIGINT NOT NULL DEFAULT 0;

CREATE TABLE market (
    one BIGINT NOT NULL PRIMARY KEY,
    open BIGINT NOT NULL,
    since BIGINT NOT NULL,
    by_client TEXT NOT NULL
);

INSERT INTO market (one, open, since, by_client) VALUES (1, 0, 0, '');
