-- Times are milliseconds since the Unix epoch, ids UUIDv7 in lower case, secrets SHA-256 digests.

CREATE TABLE people (
    id            TEXT    NOT NULL PRIMARY KEY,
    -- The one spelling that all spellings of the name share.
    canonical     TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    disabled_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE setup_codes (
    digest     BLOB    NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    spent_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    digest     BLOB    NOT NULL PRIMARY KEY,
    person_id  TEXT    NOT NULL REFERENCES people (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE clients (
    client_id     TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    -- A JSON array of strings.
    redirect_uris TEXT    NOT NULL,
    native        INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A grant is its refresh family too: `presented` is the highest generation ever shown.
CREATE TABLE grants (
    id             TEXT    NOT NULL PRIMARY KEY,
    transaction_id TEXT    NOT NULL UNIQUE,
    person_id      TEXT    NOT NULL REFERENCES people (id),
    client_id      TEXT    NOT NULL,
    client_name    TEXT    NOT NULL,
    resource       TEXT    NOT NULL,
    scopes         TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    -- When its code was redeemed; before that it has no tokens.
    activated_at   INTEGER,
    last_used_at   INTEGER,
    presented      INTEGER NOT NULL,
    presented_at   INTEGER,
    revoked_at     INTEGER,
    revoked_why    TEXT
) STRICT;

CREATE INDEX grants_by_person ON grants (person_id);
CREATE INDEX grants_by_revocation ON grants (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX grants_never_used ON grants (created_at) WHERE activated_at IS NULL;

CREATE TABLE codes (
    digest       BLOB    NOT NULL PRIMARY KEY,
    grant_id     TEXT    NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    client_id    TEXT    NOT NULL,
    redirect_uri TEXT    NOT NULL,
    challenge    BLOB    NOT NULL,
    expires_at   INTEGER NOT NULL,
    spent_at     INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX codes_by_expiry ON codes (expires_at);
CREATE INDEX codes_by_grant ON codes (grant_id);

-- Which upstream stands behind which name.
CREATE TABLE bindings (
    name        TEXT    NOT NULL PRIMARY KEY,
    fingerprint TEXT    NOT NULL,
    bound_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_keys (
    kid        TEXT    NOT NULL PRIMARY KEY,
    sealed     BLOB    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('next', 'current', 'retired')),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX signing_keys_one_current ON signing_keys (state) WHERE state = 'current';
