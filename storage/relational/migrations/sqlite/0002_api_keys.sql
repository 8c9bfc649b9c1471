-- Keys of backends. Only new tables, so that the previous version goes on serving.

-- +goose Up
CREATE TABLE api_keys (
    id           TEXT NOT NULL PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    dialects     TEXT NOT NULL,
    verbs        TEXT NOT NULL,
    project      TEXT NOT NULL,
    app          TEXT NOT NULL,
    disabled     BOOLEAN NOT NULL,
    expires_at   INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
);

-- SHA-256 of the secrets: of 256 random bits, nobody gets back from it.
CREATE TABLE api_key_secrets (
    hash     BLOB NOT NULL PRIMARY KEY,
    key_id   TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    position INTEGER NOT NULL
);
CREATE INDEX api_key_secrets_key ON api_key_secrets (key_id);

INSERT INTO versions (name, value) VALUES ('api_keys', 0);

-- +goose Down
DELETE FROM versions WHERE name = 'api_keys';
DROP TABLE api_key_secrets;
DROP TABLE api_keys;
