-- Authorization requests that people end elsewhere while their clients poll (RFC 8628).

-- +goose Up
CREATE TABLE polled_requests (
    id         TEXT NOT NULL PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE,
    user_code  BLOB NOT NULL UNIQUE,
    grant_type TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    user_id    TEXT REFERENCES users (id) ON DELETE CASCADE,
    details    BLOB NOT NULL,
    state      TEXT NOT NULL,
    grant_id   TEXT,
    wait       INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    slowed_at  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX polled_requests_expiry ON polled_requests (expires_at);
CREATE INDEX polled_requests_user ON polled_requests (user_id);

-- +goose Down
DROP TABLE polled_requests;
