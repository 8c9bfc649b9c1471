-- Only a new table, so that the previous version keeps serving.

-- +goose Up
-- Text messages with codes, and codes that came back, by country (ISO 3166-1) and day since 1970.
CREATE TABLE text_messages (
    country  TEXT NOT NULL,
    day      BIGINT NOT NULL,
    sent     BIGINT NOT NULL,
    verified BIGINT NOT NULL,
    PRIMARY KEY (country, day)
);

-- +goose Down
DROP TABLE text_messages;
