-- migrate:up

-- No release has these tables yet, so nobody waits while they are changed.

-- A stream of changes that a connection's adapter reads, or a listing that it is asked for so that silence is noticed
-- (`listing`: which days), each at its own rhythm: `every`, or once a night `at` a local time. `due_at` is also the
-- lease of the worker that is at it.
create table feed (
  practice_id uuid not null references practice,
  connection_id uuid not null,
  name text not null,
  kinds text[] not null,
  every interval not null,
  at text,
  listing text,
  cursor text,
  as_of timestamptz,
  due_at timestamptz not null,
  failures integer not null default 0,
  failing_since timestamptz,
  failure text,
  primary key (practice_id, connection_id, name),
  foreign key (practice_id, connection_id) references connection on delete cascade,
  constraint feed_listing_known check (listing in ('near', 'far'))
);
create index feed_due on feed (due_at);
alter table feed enable row level security;
alter table feed force row level security;
create policy of_practice on feed using (
  practice_id = (select nullif(nullif(current_setting('vetslot.practice_id', true), ''), '*')::uuid)
  or (select current_setting('vetslot.practice_id', true)) = '*'
);
-- squawk-ignore ban-drop-column
alter table connection drop column cursor;
-- False: no feed brings appointments or block-offs, so our schedule is the truth. `unknown_columns`: what the PIMS
-- put time on before it told of the column itself; once it does, the schedule is read again.
alter table connection add column mirrors_schedule boolean not null default true;
alter table connection add column unknown_columns text[] not null default '{}';

-- What would take away more than is plausible is not applied until staff accept it, for at most so many records.
create table held_back (
  practice_id uuid not null references practice,
  connection_id uuid not null,
  feed text not null,
  losing integer not null,
  of integer not null,
  since timestamptz not null,
  accepted integer,
  accepted_by uuid,
  accepted_at timestamptz,
  primary key (practice_id, connection_id, feed),
  foreign key (practice_id, connection_id) references connection on delete cascade
);
alter table held_back enable row level security;
alter table held_back force row level security;
create policy of_practice on held_back using (
  practice_id = (select nullif(nullif(current_setting('vetslot.practice_id', true), ''), '*')::uuid)
  or (select current_setting('vetslot.practice_id', true)) = '*'
);

-- What a complete listing of the PIMS did not have, and nobody has told us the end of: kept as it is until a later one
-- confirms it.
create table missing (
  practice_id uuid not null references practice,
  kind text not null,
  pims_id text not null,
  since timestamptz not null,
  primary key (practice_id, kind, pims_id)
);
alter table missing enable row level security;
alter table missing force row level security;
create policy of_practice on missing using (
  practice_id = (select nullif(nullif(current_setting('vetslot.practice_id', true), ''), '*')::uuid)
  or (select current_setting('vetslot.practice_id', true)) = '*'
);

-- Something that staff are to look at. One is open at a time for a subject and a kind.
create table staff_task (
  practice_id uuid not null references practice,
  staff_task_id uuid not null,
  position bigint generated always as identity,
  kind text not null,
  subject text not null,
  appointment_id uuid,
  words text not null,
  opened_at timestamptz not null,
  closed_at timestamptz,
  closed_by uuid,
  primary key (practice_id, staff_task_id),
  foreign key (practice_id, appointment_id) references appointment
);
create unique index staff_task_one_open on staff_task (practice_id, kind, subject) where closed_at is null;
create index staff_task_appointment on staff_task (practice_id, appointment_id) where appointment_id is not null;
create index staff_task_closed_at on staff_task (closed_at) where closed_at is not null;
alter table staff_task enable row level security;
alter table staff_task force row level security;
create policy of_practice on staff_task using (
  practice_id = (select nullif(nullif(current_setting('vetslot.practice_id', true), ''), '*')::uuid)
  or (select current_setting('vetslot.practice_id', true)) = '*'
);

-- How the mirror last compared with the PIMS.
create table drift_report (
  practice_id uuid not null references practice,
  connection_id uuid not null,
  at timestamptz not null,
  first date not null,
  last date not null,
  complete boolean not null,
  compared integer not null,
  differing integer not null,
  differences jsonb not null,
  primary key (practice_id, connection_id),
  foreign key (practice_id, connection_id) references connection on delete cascade
);
alter table drift_report enable row level security;
alter table drift_report force row level security;
create policy of_practice on drift_report using (
  practice_id = (select nullif(nullif(current_setting('vetslot.practice_id', true), ''), '*')::uuid)
  or (select current_setting('vetslot.practice_id', true)) = '*'
);

-- What the PIMS keeps of a patient's health, under its own identifiers: it may come before the patient does.
create table vaccination (
  practice_id uuid not null references practice,
  pims_id text not null,
  patient text not null,
  name text not null,
  given date not null,
  due date,
  primary key (practice_id, pims_id)
);
create index vaccination_patient on vaccination (practice_id, patient);
alter table vaccination enable row level security;
alter table vaccination force row level security;
create policy of_practice on vaccination using (
  practice_id = (select nullif(nullif(current_setting('vetslot.practice_id', true), ''), '*')::uuid)
  or (select current_setting('vetslot.practice_id', true)) = '*'
);

create table reminder (
  practice_id uuid not null references practice,
  pims_id text not null,
  patient text not null,
  name text not null,
  due date not null,
  done boolean not null default false,
  appointment_type text,
  primary key (practice_id, pims_id)
);
create index reminder_patient on reminder (practice_id, patient);
alter table reminder enable row level security;
alter table reminder force row level security;
create policy of_practice on reminder using (
  practice_id = (select nullif(nullif(current_setting('vetslot.practice_id', true), ''), '*')::uuid)
  or (select current_setting('vetslot.practice_id', true)) = '*'
);

-- Rules of the PIMS. What they speak of is kept in its own words, since it may be told of later than the rule.
alter table rule add column pims_id text;
alter table rule add column pims_types text[];
alter table rule add column pims_resources text[];
-- squawk-ignore disallowed-unique-constraint, constraint-missing-not-valid
alter table rule add constraint rule_pims_id_unique unique (practice_id, pims_id);

-- Who the PIMS joined into somebody else: what it still says of the one is said of the other.
alter table client add column merged_into uuid;
alter table patient add column merged_into uuid;

-- Appointments whose client, patient or type the PIMS tells of later.
-- squawk-ignore require-concurrent-index-creation
create index appointment_unlinked on appointment (practice_id) where source = 'pims'
  and (client_id is null or patient_id is null or appointment_type_id is null);
