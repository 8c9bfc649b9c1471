-- What messages let their readers do once, by a link or a typed code. The identifier is no foreign
-- key: the undo of a change outlives the address it went to.

-- +goose Up
CREATE TABLE tickets (
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
CREATE INDEX tickets_user ON tickets (user_id);
CREATE INDEX tickets_expiry ON tickets (expires_at);

-- +goose Down
DROP TABLE tickets;
