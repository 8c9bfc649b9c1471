-- What names an authenticator among those of all users, such as the hash of a passkey's credential ID.

-- +goose Up
ALTER TABLE authenticators ADD COLUMN credential BLOB;
CREATE UNIQUE INDEX authenticators_credential ON authenticators (credential) WHERE credential IS NOT NULL;

-- +goose Down
DROP INDEX authenticators_credential;
ALTER TABLE authenticators DROP COLUMN credential;
