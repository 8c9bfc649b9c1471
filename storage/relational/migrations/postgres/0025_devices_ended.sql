-- How often the remembered devices of a user have ended.

-- +goose Up
ALTER TABLE users ADD COLUMN devices_ended BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE users DROP COLUMN devices_ended;
