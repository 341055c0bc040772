-- What lets clients register themselves beyond the default policy (RFC 7591 §3). Registrations
-- themselves have no row: a client_id is its own metadata, sealed.

CREATE TABLE initial_access_tokens (
    id         TEXT    NOT NULL PRIMARY KEY,
    digest     BLOB    NOT NULL UNIQUE,
    note       TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    uses       INTEGER NOT NULL,
    used       INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- https origins and private-use schemes to which the owner lets clients redirect.
CREATE TABLE approved_places (
    place       TEXT    NOT NULL PRIMARY KEY,
    approved_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
