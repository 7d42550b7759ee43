-- Masters: a table a kind, a column a field, the same text for SQLite and PostgreSQL. Times are microseconds since the Unix epoch.

CREATE TABLE custodian (
    id TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    corporate_number TEXT,
    bic TEXT,
    lei TEXT,
    contact_addressee TEXT,
    contact_postal_code TEXT,
    contact_address TEXT,
    phone TEXT,
    email TEXT,
    bank_code TEXT,
    bank_name_kana TEXT,
    branch_code TEXT,
    branch_name_kana TEXT,
    deposit_kind TEXT,
    account_number TEXT,
    account_holder_kana TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);

CREATE INDEX custodian_owner ON custodian (owner, id);

CREATE TABLE beneficiary_agent (
    id TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    corporate_number TEXT,
    bic TEXT,
    lei TEXT,
    contact_addressee TEXT,
    contact_postal_code TEXT,
    contact_address TEXT,
    phone TEXT,
    email TEXT,
    bank_code TEXT,
    bank_name_kana TEXT,
    branch_code TEXT,
    branch_name_kana TEXT,
    deposit_kind TEXT,
    account_number TEXT,
    account_holder_kana TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);

CREATE INDEX beneficiary_agent_owner ON beneficiary_agent (owner, id);

CREATE TABLE settlor (
    id TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    corporate_number TEXT,
    bic TEXT,
    lei TEXT,
    contact_addressee TEXT,
    contact_postal_code TEXT,
    contact_address TEXT,
    phone TEXT,
    email TEXT,
    bank_code TEXT,
    bank_name_kana TEXT,
    branch_code TEXT,
    branch_name_kana TEXT,
    deposit_kind TEXT,
    account_number TEXT,
    account_holder_kana TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);

CREATE INDEX settlor_owner ON settlor (owner, id);

CREATE TABLE trustee (
    id TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    corporate_number TEXT,
    bic TEXT,
    lei TEXT,
    bank_code TEXT,
    bank_name_kana TEXT,
    branch_code TEXT,
    branch_name_kana TEXT,
    deposit_kind TEXT,
    account_number TEXT,
    account_holder_kana TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);

CREATE INDEX trustee_owner ON trustee (owner, id);

CREATE TABLE asset_manager (
    id TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    corporate_number TEXT,
    bic TEXT,
    lei TEXT,
    contact_addressee TEXT,
    contact_postal_code TEXT,
    contact_address TEXT,
    phone TEXT,
    email TEXT,
    bank_code TEXT,
    bank_name_kana TEXT,
    branch_code TEXT,
    branch_name_kana TEXT,
    deposit_kind TEXT,
    account_number TEXT,
    account_holder_kana TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);

CREATE INDEX asset_manager_owner ON asset_manager (owner, id);

CREATE TABLE safekeeping_place (
    id TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    corporate_number TEXT,
    bic TEXT,
    lei TEXT,
    own_account TEXT,
    custodian_id TEXT REFERENCES custodian (id),
    contact_addressee TEXT,
    contact_postal_code TEXT,
    contact_address TEXT,
    phone TEXT,
    email TEXT,
    bank_code TEXT,
    bank_name_kana TEXT,
    branch_code TEXT,
    branch_name_kana TEXT,
    deposit_kind TEXT,
    account_number TEXT,
    account_holder_kana TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);

CREATE INDEX safekeeping_place_owner ON safekeeping_place (owner, id);

CREATE TABLE investor (
    id TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    owner TEXT NOT NULL,
    corporate_number TEXT,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    safekeeping_class TEXT NOT NULL,
    safekeeping_place_id TEXT REFERENCES safekeeping_place (id),
    safekeeping_account TEXT,
    custodian_id TEXT REFERENCES custodian (id),
    contact_addressee TEXT,
    contact_postal_code TEXT,
    contact_address TEXT,
    phone TEXT,
    email TEXT,
    bank_code TEXT,
    bank_name_kana TEXT,
    branch_code TEXT,
    branch_name_kana TEXT,
    deposit_kind TEXT,
    account_number TEXT,
    account_holder_kana TEXT,
    status TEXT NOT NULL,
    aml_class TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);

CREATE INDEX investor_owner ON investor (owner, id);

CREATE TABLE trust_contract (
    id TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    owner TEXT NOT NULL,
    number TEXT NOT NULL,
    name TEXT NOT NULL,
    fund_number TEXT,
    settlor_id TEXT REFERENCES settlor (id),
    trustee_id TEXT REFERENCES trustee (id),
    asset_manager_id TEXT REFERENCES asset_manager (id),
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);

CREATE INDEX trust_contract_owner ON trust_contract (owner, id);

CREATE TABLE beneficial_interest (
    id TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    isin TEXT NOT NULL,
    trust_contract_id TEXT REFERENCES trust_contract (id),
    initial_beneficiary_id TEXT REFERENCES investor (id),
    beneficiary_agent_id TEXT REFERENCES beneficiary_agent (id),
    set_quantity TEXT,
    set_date TEXT,
    status TEXT NOT NULL,
    redemption_date TEXT,
    record_date_1 TEXT,
    record_date_2 TEXT,
    holiday_adjustment TEXT NOT NULL,
    register_annotation TEXT,
    comment_1 TEXT,
    comment_2 TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);

CREATE INDEX beneficial_interest_owner ON beneficial_interest (owner, id);

CREATE INDEX beneficial_interest_isin ON beneficial_interest (isin);

-- Every version of every row, as JSON: what was written, when and by whom.
CREATE TABLE row_history (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    at BIGINT NOT NULL,
    by_client TEXT NOT NULL,
    content TEXT,
    PRIMARY KEY (kind, id, version)
);

-- What a POST with an idempotency key did, written with what it did.
CREATE TABLE idempotency (
    client TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request TEXT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (client, idempotency_key)
);

CREATE INDEX idempotency_at ON idempotency (at);
