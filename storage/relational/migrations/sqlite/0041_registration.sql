-- Clients that registered themselves expire; others have no expiry. Initial access tokens let
-- programs register them.

-- +goose Up
ALTER TABLE clients ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX clients_expiry ON clients (expires_at) WHERE expires_at > 0;

CREATE TABLE registration_tokens (
    id         TEXT NOT NULL PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    max_uses   INTEGER NOT NULL,
    uses       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX registration_tokens_expiry ON registration_tokens (expires_at);

-- +goose Down
DROP TABLE registration_tokens;
DROP INDEX clients_expiry;
ALTER TABLE clients DROP COLUMN used_at;
ALTER TABLE clients DROP COLUMN expires_at;
