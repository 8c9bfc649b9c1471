-- Authorization requests that clients sent themselves (RFC 9126).

-- +goose Up
CREATE TABLE pushed_requests (
    hash       BLOB NOT NULL PRIMARY KEY,
    client_id  TEXT NOT NULL,
    params     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    opened_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX pushed_requests_expiry ON pushed_requests (expires_at);

-- +goose Down
DROP TABLE pushed_requests;
