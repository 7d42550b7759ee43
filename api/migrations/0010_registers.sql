-- Who stands behind a line of a register, at the registrar's; and what became of record dates. Times are microseconds since the
-- Unix epoch.

ALTER TABLE investor ADD COLUMN custodian_node TEXT;

ALTER TABLE investor ADD COLUMN pseudonym TEXT;

CREATE INDEX investor_pseudonym ON investor (pseudonym);

-- A record date that is over: when it was by which calendar, and the snapshot that has fixed the register then; none if there was
-- none in time.
CREATE TABLE record_date (
    product TEXT NOT NULL REFERENCES beneficial_interest (id),
    which BIGINT NOT NULL,
    nominal TEXT NOT NULL,
    isin TEXT NOT NULL,
    date TEXT NOT NULL,
    calendar TEXT NOT NULL,
    due BIGINT NOT NULL,
    snapshot BIGINT,
    entry BIGINT,
    taken BIGINT,
    entries_after BIGINT,
    PRIMARY KEY (product, which, nominal)
);

CREATE INDEX record_date_isin ON record_date (isin, date);
