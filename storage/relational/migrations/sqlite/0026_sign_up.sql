-- Tickets of an address that no user has yet, and the terms that a user accepted. SQLite cannot
-- drop NOT NULL from a column, so the table is written again.

-- +goose Up
CREATE TABLE new_tickets (
    id            TEXT NOT NULL PRIMARY KEY,
    purpose       TEXT NOT NULL,
    user_id       TEXT REFERENCES users (id) ON DELETE CASCADE,
    owner         BLOB,
    identifier_id TEXT,
    link          BLOB NOT NULL UNIQUE,
    code          BLOB,
    client_id     TEXT NOT NULL,
    sealed        BLOB NOT NULL,
    outlives      BOOLEAN NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    ended_at      INTEGER NOT NULL
);
INSERT INTO new_tickets SELECT id, purpose, user_id, NULL, identifier_id, link, code, client_id, sealed, outlives, created_at, expires_at, ended_at FROM tickets;
DROP TABLE tickets;
ALTER TABLE new_tickets RENAME TO tickets;
CREATE INDEX tickets_user ON tickets (user_id);
CREATE INDEX tickets_owner ON tickets (owner);
CREATE INDEX tickets_expiry ON tickets (expires_at);
ALTER TABLE users ADD COLUMN terms TEXT NOT NULL DEFAULT '';

-- +goose Down
CREATE TABLE old_tickets (
    id            TEXT NOT NULL PRIMARY KEY,
    purpose       TEXT NOT NULL,
    user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    identifier_id TEXT,
    link          BLOB NOT NULL UNIQUE,
    code          BLOB,
    client_id     TEXT NOT NULL,
    sealed        BLOB NOT NULL,
    outlives      BOOLEAN NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    ended_at      INTEGER NOT NULL
);
INSERT INTO old_tickets SELECT id, purpose, user_id, identifier_id, link, code, client_id, sealed, outlives, created_at, expires_at, ended_at FROM tickets
    WHERE user_id IS NOT NULL;
DROP TABLE tickets;
ALTER TABLE old_tickets RENAME TO tickets;
CREATE INDEX tickets_user ON tickets (user_id);
CREATE INDEX tickets_expiry ON tickets (expires_at);
ALTER TABLE users DROP COLUMN terms;
