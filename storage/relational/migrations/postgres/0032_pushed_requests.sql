-- Authorization requests that clients sent themselves (RFC 9126).

-- +goose Up
CREATE TABLE pushed_requests (
    hash       BYTEA NOT NULL PRIMARY KEY,
    client_id  TEXT NOT NULL,
    params     BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    opened_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX pushed_requests_expiry ON pushed_requests (expires_at);

-- +goose Down
DROP TABLE pushed_requests;
