-- The defaults are for the version before this one, which goes on counting and opening meanwhile.

-- +goose Up
-- The wait (next_at, until) that the audit trail tells of already.
ALTER TABLE throttles ADD COLUMN told_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE address_throttles ADD COLUMN told_at INTEGER NOT NULL DEFAULT 0;

-- The names a request was asked about before anybody was identified, and how many.
ALTER TABLE auth_requests ADD COLUMN names INTEGER NOT NULL DEFAULT 0;
CREATE TABLE request_names (
    request    BLOB NOT NULL,
    hash       BLOB NOT NULL,
    sealed     BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (request, hash)
);
CREATE INDEX request_names_expiry ON request_names (expires_at);

-- +goose Down
DROP TABLE request_names;
ALTER TABLE auth_requests DROP COLUMN names;
ALTER TABLE address_throttles DROP COLUMN told_at;
ALTER TABLE throttles DROP COLUMN told_at;
