-- The secrets of clients that sign with them, sealed. Those of all others have their hash in the document.

-- +goose Up
ALTER TABLE clients ADD COLUMN secrets BYTEA;

-- +goose Down
ALTER TABLE clients DROP COLUMN secrets;
