-- Authorization requests that people end elsewhere while their clients poll (RFC 8628).

-- +goose Up
CREATE TABLE polled_requests (
    id         UUID NOT NULL PRIMARY KEY,
    hash       BYTEA NOT NULL UNIQUE,
    user_code  BYTEA NOT NULL UNIQUE,
    grant_type TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    user_id    UUID REFERENCES users (id) ON DELETE CASCADE,
    details    BYTEA NOT NULL,
    state      TEXT NOT NULL,
    grant_id   UUID,
    wait       BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    slowed_at  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX polled_requests_expiry ON polled_requests (expires_at);
CREATE INDEX polled_requests_user ON polled_requests (user_id);

-- +goose Down
DROP TABLE polled_requests;
