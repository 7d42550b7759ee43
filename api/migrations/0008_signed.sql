-- Signed requests, each written with what it did: to which row. Times are microseconds since the Unix epoch.

CREATE TABLE signed_request (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    row_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    by_client TEXT NOT NULL,
    key_id TEXT NOT NULL,
    public_key TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    base TEXT NOT NULL,
    signature TEXT NOT NULL,
    body TEXT NOT NULL
);

CREATE INDEX signed_request_row ON signed_request (kind, row_id, id);
