-- migrate:up

-- What lets a program in as the practice. Of the secret we keep what recognizes it.
create table api_key (
  practice_id uuid not null references practice,
  api_key_id uuid not null,
  name text not null,
  digest bytea not null,
  scopes text[] not null,
  created_by uuid not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  primary key (practice_id, api_key_id),
  constraint api_key_digest_unique unique (practice_id, digest)
);
alter table api_key enable row level security;
alter table api_key force row level security;
create policy of_practice on api_key using (practice_id::text = current_setting('vetslot.practice_id', true)
  or current_setting('vetslot.practice_id', true) = '*');

-- Whoever changes the set-up is a member of staff or an API key.
-- No release has this table yet, so nobody reads the old name.
-- squawk-ignore renaming-column
alter table audit rename column staff_id to actor_id;
-- The audit log is also the history of the practice's set-up: each change has its number, 1, 2, 3, … per practice.
alter table audit add column number bigint;
update audit set number = counted.number
from (select audit_id, row_number() over (partition by practice_id order by position) as number from audit) counted
where counted.audit_id = audit.audit_id;
-- squawk-ignore adding-not-nullable-field
alter table audit alter column number set not null;
-- squawk-ignore disallowed-unique-constraint, constraint-missing-not-valid
alter table audit add constraint audit_number_unique unique (practice_id, number);
