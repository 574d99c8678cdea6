-- migrate:up

-- What waits for a record is few, and looked for whenever one is settled.
-- No release has this table yet, so nobody waits while it is looked through.
-- squawk-ignore require-concurrent-index-creation
create index write_back_waits_for on write_back (practice_id, waits_for) where waits_for is not null;
