-- Clients that push their authorization requests (RFC 9126), and requests of devices (RFC 8628).

ALTER TABLE clients ADD COLUMN pushes_only INTEGER NOT NULL DEFAULT 0;

CREATE TABLE device_requests (
    id          TEXT    NOT NULL PRIMARY KEY,
    device_code BLOB    NOT NULL UNIQUE,
    user_code   BLOB    NOT NULL UNIQUE,
    reference   TEXT    NOT NULL,
    client_id   TEXT    NOT NULL,
    -- The client as it was when it asked: a JSON object.
    client      TEXT    NOT NULL,
    server      TEXT    NOT NULL,
    resource    TEXT    NOT NULL,
    scopes      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    -- Milliseconds from one poll to the next, and whether the last one came too soon.
    pace        INTEGER NOT NULL,
    polled_at   INTEGER,
    hasty       INTEGER NOT NULL DEFAULT 0,
    answered_at INTEGER,
    -- Of a yes; a no has none.
    grant_id    TEXT,
    spent_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX device_requests_by_expiry ON device_requests (expires_at);
