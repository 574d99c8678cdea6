-- migrate:up

-- No release has these tables yet, so nobody waits while they are changed.

-- A booking of several patients is one reference with a numbered visit each.
-- squawk-ignore prefer-bigint-over-smallint
alter table appointment add column visit smallint not null default 1;
alter table appointment add column answers jsonb not null default '[]';
-- squawk-ignore ban-drop-constraint
alter table appointment drop constraint appointment_reference_unique;
-- squawk-ignore disallowed-unique-constraint, constraint-missing-not-valid
alter table appointment add constraint appointment_visit_unique unique (practice_id, reference, visit);
-- squawk-ignore constraint-missing-not-valid
alter table appointment add constraint appointment_visit_positive check (visit > 0);
-- How many open bookings a patient has.
-- squawk-ignore require-concurrent-index-creation
create index appointment_patient on appointment (practice_id, patient_id);

-- What a practice allows of its clients. `urgent_words` null: the usual ones.
alter table practice add column open_bookings_per_client integer not null default 5;
alter table practice add column open_bookings_per_patient integer not null default 2;
alter table practice add column urgent_words text[];

-- How long a visit is for some: [{"species": ["rabbit"], "new_client": true, "length": "PT45M"}], first match wins.
alter table appointment_type add column variants jsonb not null default '[]';

-- Who cannot book online: a phone, an email, or a client by id.
create table blocked_contact (
  practice_id uuid not null references practice,
  kind text not null,
  value text not null,
  reason text not null default '',
  created_at timestamptz not null,
  primary key (practice_id, kind, value),
  constraint blocked_contact_kind_known check (kind in ('phone', 'email', 'client'))
);
alter table blocked_contact enable row level security;
alter table blocked_contact force row level security;
create policy of_practice on blocked_contact using (practice_id::text = current_setting('vetslot.practice_id', true)
  or current_setting('vetslot.practice_id', true) = '*');

-- What is asked before a visit is booked. `appointment_types` null: for all. `pims_field`: what the PIMS needs it for.
create table question (
  practice_id uuid not null references practice,
  question_id uuid not null,
  position integer not null default 1000,
  label text not null,
  kind text not null,
  choices text[] not null default '{}',
  required boolean not null default false,
  appointment_types uuid[],
  who text not null default 'everyone',
  pims_field text,
  active boolean not null default true,
  primary key (practice_id, question_id),
  constraint question_kind_known check (kind in ('text', 'choice', 'yes_no', 'date', 'number')),
  constraint question_who_known check (who in ('everyone', 'new', 'existing'))
);
alter table question enable row level security;
alter table question force row level security;
create policy of_practice on question using (practice_id::text = current_setting('vetslot.practice_id', true)
  or current_setting('vetslot.practice_id', true) = '*');
