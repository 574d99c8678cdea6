-- migrate:up

-- How a practice gets its PIMS connected, step by step; each column is what one step has found or decided.
-- `sealed`: the credentials, encrypted (booking/connect/credentials.py); `settings` keeps only what is no secret.
alter table connection add column sealed bytea;
alter table connection add column practice_information jsonb;
alter table connection add column terms jsonb;
alter table connection add column practice_identifier text;
alter table connection add column checked jsonb;
alter table connection add column mapping jsonb;
alter table connection add column import_settings jsonb;
-- A survey reads the whole PIMS and writes nothing. `survey_due_at`: one is asked for, and not done yet.
alter table connection add column survey jsonb;
alter table connection add column survey_due_at timestamptz;
alter table connection add column survey_failure text;
alter table connection add column conflicts_accepted boolean not null default false;
alter table connection add column paused_because text;
-- No release has this table yet, so nobody waits while the index is made.
-- squawk-ignore require-concurrent-index-creation
create index connection_survey_due on connection (survey_due_at) where survey_due_at is not null;
-- A practice has one connection at a time.
-- squawk-ignore disallowed-unique-constraint, require-concurrent-index-creation, constraint-missing-not-valid
alter table connection add constraint connection_of_practice_unique unique (practice_id);
