-- An index for searches of users by a status that few have.

-- +goose Up
CREATE INDEX users_status ON users (status, id) WHERE status <> 'active';

-- +goose Down
DROP INDEX users_status;
