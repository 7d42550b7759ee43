-- The book of personal data's keys: a database of its own, always SQLite. Everything in it is sealed but what names a key.

CREATE TABLE IF NOT EXISTS book (
    one BIGINT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS bucket (
    number BIGINT NOT NULL PRIMARY KEY,
    sealed TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS data_key (
    subject TEXT NOT NULL PRIMARY KEY,
    bucket BIGINT NOT NULL,
    sealed TEXT NOT NULL
);

CREATE INDEX IF NOT EXISTS data_key_bucket ON data_key (bucket);

-- What each destroyed key was for, when, and under which root. Nothing of the key but a hash that names it.
CREATE TABLE IF NOT EXISTS destroyed (
    subject TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    root BIGINT NOT NULL,
    mark TEXT NOT NULL
);
