-- Files of rows: what each is for, its parts until it is done, and what became of each row. Times are microseconds since the Unix epoch.

CREATE TABLE import_file (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    target TEXT NOT NULL,
    processing_class TEXT NOT NULL,
    file_size BIGINT NOT NULL,
    file_hash TEXT NOT NULL,
    file_at BIGINT NOT NULL,
    status TEXT NOT NULL,
    result TEXT,
    received BIGINT NOT NULL,
    rows_done BIGINT NOT NULL,
    rows_refused BIGINT NOT NULL,
    client TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX import_file_owner ON import_file (owner, id);

CREATE INDEX import_file_status ON import_file (status, id);

-- Gone once the file is done: it may hold personal data.
CREATE TABLE import_part (
    import_id TEXT NOT NULL REFERENCES import_file (id),
    first_byte BIGINT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (import_id, first_byte)
);

CREATE TABLE import_row (
    import_id TEXT NOT NULL REFERENCES import_file (id),
    row_number BIGINT NOT NULL,
    row_id TEXT,
    errors TEXT,
    PRIMARY KEY (import_id, row_number)
);
