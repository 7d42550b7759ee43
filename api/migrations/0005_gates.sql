-- Whether a product's units may move, and what of it the ledger has yet to be told.

ALTER TABLE beneficial_interest ADD COLUMN transfers TEXT;

CREATE TABLE asset_gate (
    isin TEXT NOT NULL PRIMARY KEY,
    open BIGINT NOT NULL,
    told BIGINT NOT NULL
);
