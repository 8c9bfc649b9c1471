-- JWTs that are good once, and the keys that refresh tokens are bound to.

-- +goose Up
CREATE TABLE used_proofs (
    hash       BYTEA NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX used_proofs_expiry ON used_proofs (expires_at);
ALTER TABLE grants ADD COLUMN refresh_jkt TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE grants DROP COLUMN refresh_jkt;
DROP TABLE used_proofs;
