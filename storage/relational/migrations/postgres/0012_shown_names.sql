-- A name as it is shown and sent to, where that differs from the value it is compared by; '': the
-- value, as the version before this one has it. Names that compare otherwise now are changed
-- after the last step.

-- +goose Up
ALTER TABLE identifiers ADD COLUMN shown TEXT NOT NULL DEFAULT '';

-- +goose Down
UPDATE identifiers SET value = shown WHERE shown <> '';
ALTER TABLE identifiers DROP COLUMN shown;
