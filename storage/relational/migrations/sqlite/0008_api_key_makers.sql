-- Which API key made a key; NULL: the operator, and every key from before. No reference:
-- a key whose maker is gone stays, and opens nothing.

-- +goose Up
ALTER TABLE api_keys ADD COLUMN maker TEXT;

-- +goose Down
ALTER TABLE api_keys DROP COLUMN maker;
