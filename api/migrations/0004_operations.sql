-- What was instructed, and every state that it was in. Times are microseconds since the Unix epoch.

CREATE TABLE ledger_investor (
    investor_id TEXT NOT NULL PRIMARY KEY REFERENCES investor (id),
    pseudonym TEXT NOT NULL UNIQUE
);

CREATE TABLE operation (
    id TEXT NOT NULL PRIMARY KEY,
    flow TEXT NOT NULL,
    institution TEXT NOT NULL,
    instructed_at BIGINT NOT NULL,
    instructed_by TEXT NOT NULL,
    request TEXT NOT NULL,
    node_order TEXT NOT NULL,
    trade TEXT,
    state TEXT NOT NULL,
    ended BIGINT NOT NULL,
    first_event BIGINT NOT NULL
);

CREATE INDEX operation_institution ON operation (institution, id);

CREATE INDEX operation_open ON operation (id) WHERE ended = 0;

-- One side of a trade is instructed once, unless it was refused.
CREATE UNIQUE INDEX operation_trade ON operation (trade) WHERE state <> 'refused';

CREATE TABLE event (
    number BIGINT NOT NULL PRIMARY KEY,
    operation TEXT NOT NULL REFERENCES operation (id),
    institution TEXT NOT NULL,
    at BIGINT NOT NULL,
    height BIGINT NOT NULL,
    state TEXT NOT NULL,
    standing TEXT NOT NULL
);

CREATE INDEX event_operation ON event (operation, number);

-- The number of the newest event. Who takes the next one holds this row until he commits: events appear in their order.
CREATE TABLE event_count (
    one BIGINT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);

INSERT INTO event_count (one, number) VALUES (1, 0);
