-- Keys of backends. Only new tables, so that the previous version goes on serving.

-- +goose Up
CREATE TABLE api_keys (
    id           UUID NOT NULL PRIMARY KEY,
    name         TEXT COLLATE "C" NOT NULL UNIQUE,
    dialects     TEXT NOT NULL,
    verbs        TEXT NOT NULL,
    project      TEXT NOT NULL,
    app          TEXT NOT NULL,
    disabled     BOOLEAN NOT NULL,
    expires_at   BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);

-- SHA-256 of the secrets: of 256 random bits, nobody gets back from it.
CREATE TABLE api_key_secrets (
    hash     BYTEA NOT NULL PRIMARY KEY,
    key_id   UUID NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    position BIGINT NOT NULL
);
CREATE INDEX api_key_secrets_key ON api_key_secrets (key_id);

INSERT INTO versions (name, value) VALUES ('api_keys', 0);

-- +goose Down
DELETE FROM versions WHERE name = 'api_keys';
DROP TABLE api_key_secrets;
DROP TABLE api_keys;
