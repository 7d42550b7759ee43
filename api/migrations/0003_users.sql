-- Users with passwords, their sessions, and who did what with them. Times are microseconds since the Unix epoch.

CREATE TABLE login_user (
    id TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    owner TEXT NOT NULL,
    login TEXT NOT NULL,
    name TEXT NOT NULL,
    branch_code TEXT,
    branch_name TEXT,
    section TEXT,
    employee_number TEXT,
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    password TEXT,
    password_before TEXT,
    password_before_that TEXT,
    password_at BIGINT NOT NULL,
    failed_attempts BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    last_log_on BIGINT NOT NULL,
    code_1 TEXT,
    code_2 TEXT,
    codes_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    UNIQUE (owner, login)
);

CREATE TABLE session (
    token TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES login_user (id),
    certificate TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX session_of_user ON session (user_id);

CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    institution TEXT NOT NULL,
    who TEXT NOT NULL,
    certificate TEXT NOT NULL,
    event TEXT NOT NULL
);

CREATE INDEX audit_institution ON audit (institution, id);
