-- What names an authenticator among those of all users, such as the hash of a passkey's credential ID.
-- Without a transaction, so that the index is built beside the traffic.

-- +goose NO TRANSACTION
-- +goose Up
ALTER TABLE authenticators ADD COLUMN IF NOT EXISTS credential BYTEA;
DROP INDEX IF EXISTS authenticators_credential;
CREATE UNIQUE INDEX CONCURRENTLY authenticators_credential ON authenticators (credential) WHERE credential IS NOT NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS authenticators_credential;
ALTER TABLE authenticators DROP COLUMN IF EXISTS credential;
