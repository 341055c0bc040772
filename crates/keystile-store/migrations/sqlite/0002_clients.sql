-- Clients that authenticate, what they hold for themselves, and clients of any kind that are kept out.

ALTER TABLE clients ADD COLUMN auth_method TEXT NOT NULL DEFAULT 'none'
    CHECK (auth_method IN ('none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'));
-- A JWK set of public keys, or where one is.
ALTER TABLE clients ADD COLUMN jwks TEXT;
ALTER TABLE clients ADD COLUMN jwks_uri TEXT;
-- A JSON array of strings.
ALTER TABLE clients ADD COLUMN grant_types TEXT NOT NULL DEFAULT '["authorization_code","refresh_token"]';
-- What it may ask for itself.
ALTER TABLE clients ADD COLUMN scopes TEXT NOT NULL DEFAULT '';
-- The resource that it serves.
ALTER TABLE clients ADD COLUMN introspects TEXT;

CREATE TABLE client_secrets (
    client_id  TEXT    NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    digest     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    -- Only an earlier one, kept for a while, has an end.
    expires_at INTEGER,
    PRIMARY KEY (client_id, digest)
) STRICT, WITHOUT ROWID;

-- Kept after the client was let in again: its tokens of before stay dead.
CREATE TABLE disabled_clients (
    client_id   TEXT    NOT NULL PRIMARY KEY,
    disabled_at INTEGER NOT NULL,
    enabled_at  INTEGER
) STRICT, WITHOUT ROWID;

-- Ids (`jti`) of assertions that were shown, until they end.
CREATE TABLE client_assertions (
    client_id  TEXT    NOT NULL,
    jti        BLOB    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (client_id, jti)
) STRICT, WITHOUT ROWID;

CREATE INDEX client_assertions_by_expiry ON client_assertions (expires_at);

-- What a client holds for itself; no person gave it.
CREATE TABLE service_grants (
    id           TEXT    NOT NULL PRIMARY KEY,
    client_id    TEXT    NOT NULL,
    client_name  TEXT    NOT NULL,
    resource     TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER,
    revoked_why  TEXT
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX service_grants_one_alive ON service_grants (client_id, resource)
    WHERE revoked_at IS NULL;
CREATE INDEX service_grants_by_revocation ON service_grants (revoked_at)
    WHERE revoked_at IS NOT NULL;
