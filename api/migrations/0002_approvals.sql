-- What two people do: proposals, who proposed and who decided. Times are microseconds since the Unix epoch.

CREATE TABLE approval (
    id TEXT NOT NULL PRIMARY KEY,
    institution TEXT NOT NULL,
    deed TEXT NOT NULL,
    request TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    state TEXT NOT NULL,
    proposed_at BIGINT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_with TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    decided_at BIGINT,
    decided_by TEXT,
    decided_with TEXT,
    result TEXT
);

CREATE INDEX approval_institution ON approval (institution, id);
