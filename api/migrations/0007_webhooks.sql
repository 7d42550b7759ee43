-- Where events are sent, and how far each place has them. Times are microseconds since the Unix epoch.

CREATE TABLE webhook (
    id TEXT NOT NULL PRIMARY KEY,
    institution TEXT NOT NULL,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    former_secret TEXT,
    former_until BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    made_by TEXT NOT NULL,
    sent BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    problem TEXT,
    stopped BIGINT NOT NULL
);

CREATE INDEX webhook_institution ON webhook (institution, id);
