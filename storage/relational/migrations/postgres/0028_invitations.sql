-- Invitations of pending users. The identifier is no foreign key: an invitation outlives its address.

-- +goose Up
CREATE TABLE invitations (
    id            UUID NOT NULL PRIMARY KEY,
    user_id       UUID NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    identifier_id UUID,
    actor         TEXT NOT NULL,
    client_id     TEXT NOT NULL,
    created_user  BOOLEAN NOT NULL,
    sent          BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    sent_at       BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    accepted_at   BIGINT NOT NULL
);

-- +goose Down
DROP TABLE invitations;
