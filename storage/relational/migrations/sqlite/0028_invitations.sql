-- Invitations of pending users. The identifier is no foreign key: an invitation outlives its address.

-- +goose Up
CREATE TABLE invitations (
    id            TEXT NOT NULL PRIMARY KEY,
    user_id       TEXT NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    identifier_id TEXT,
    actor         TEXT NOT NULL,
    client_id     TEXT NOT NULL,
    created_user  BOOLEAN NOT NULL,
    sent          INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    sent_at       INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    accepted_at   INTEGER NOT NULL
);

-- +goose Down
DROP TABLE invitations;
