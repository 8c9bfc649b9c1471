-- What messages let their readers do once, by a link or a typed code. The identifier is no foreign
-- key: the undo of a change outlives the address it went to.

-- +goose Up
CREATE TABLE tickets (
    id            UUID NOT NULL PRIMARY KEY,
    purpose       TEXT NOT NULL,
    user_id       UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    identifier_id UUID,
    link          BYTEA NOT NULL UNIQUE,
    code          BYTEA,
    client_id     TEXT NOT NULL,
    sealed        BYTEA NOT NULL,
    outlives      BOOLEAN NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    ended_at      BIGINT NOT NULL
);
CREATE INDEX tickets_user ON tickets (user_id);
CREATE INDEX tickets_expiry ON tickets (expires_at);

-- +goose Down
DROP TABLE tickets;
