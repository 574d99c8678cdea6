-- migrate:up

-- Not only appointments are created under a key: what is kept is whatever has to be answered again.
-- squawk-ignore changing-column-type
alter table idempotency alter column answer type jsonb using to_jsonb(answer);
