-- Personal data is sealed (specs/erasure.md): an investor's row keeps it in one column. Times are microseconds since the Unix epoch.

ALTER TABLE investor ADD COLUMN personal TEXT;

-- Keys that are to be destroyed as soon as this is committed, with the erasure that waits for it.
CREATE TABLE key_to_destroy (
    subject TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    erasure TEXT
);

-- What was erased, by whom, and what says so. Named by the approval; the certificate is there once the keys are destroyed.
CREATE TABLE erasure (
    id TEXT NOT NULL PRIMARY KEY,
    investor_id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    reason TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    proposed_by TEXT NOT NULL,
    approved_by TEXT NOT NULL,
    items BIGINT NOT NULL,
    accounts BIGINT NOT NULL,
    erased_at BIGINT,
    certificate TEXT
);

-- Why an investor's data must stay, and until when.
CREATE TABLE legal_hold (
    id TEXT NOT NULL PRIMARY KEY,
    investor_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    reason TEXT NOT NULL,
    until_date TEXT NOT NULL,
    placed_at BIGINT NOT NULL,
    proposed_by TEXT NOT NULL,
    approved_by TEXT NOT NULL,
    lifted_at BIGINT,
    lift_proposed_by TEXT,
    lift_approved_by TEXT
);

CREATE INDEX legal_hold_investor ON legal_hold (investor_id, id);
