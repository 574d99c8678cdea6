-- migrate:up

-- What a practice and one of its clients say to each other about a visit. Each booking opens one, which stands on top of
-- the practice's queue. `contact`: the proven one, to which replies go.
create table conversation (
  practice_id uuid not null references practice,
  conversation_id uuid not null,
  client_id uuid not null,
  patient_id uuid,
  appointment_id uuid not null,
  title text not null,
  contact jsonb,
  state text not null default 'open',
  opened_at timestamptz not null,
  last_at timestamptz not null,
  closed_at timestamptz,
  primary key (practice_id, conversation_id),
  foreign key (practice_id, appointment_id) references appointment,
  constraint conversation_state_known check (state in ('open', 'closed'))
);
create index conversation_last_at on conversation (practice_id, last_at, conversation_id);
create index conversation_client on conversation (practice_id, client_id);
alter table conversation enable row level security;
alter table conversation force row level security;
create policy of_practice on conversation using (
  practice_id = (select nullif(nullif(current_setting('vetslot.practice_id', true), ''), '*')::uuid)
  or (select current_setting('vetslot.practice_id', true)) = '*'
);

create table conversation_message (
  practice_id uuid not null references practice,
  conversation_message_id uuid not null,
  conversation_id uuid not null,
  position bigint generated always as identity,
  author text not null,
  name text not null default '',
  text text not null,
  at timestamptz not null,
  primary key (practice_id, conversation_message_id),
  foreign key (practice_id, conversation_id) references conversation on delete cascade,
  constraint conversation_message_author_known check (author in ('booking', 'practice', 'client'))
);
create index conversation_message_conversation on conversation_message (practice_id, conversation_id, position);
alter table conversation_message enable row level security;
alter table conversation_message force row level security;
create policy of_practice on conversation_message using (
  practice_id = (select nullif(nullif(current_setting('vetslot.practice_id', true), ''), '*')::uuid)
  or (select current_setting('vetslot.practice_id', true)) = '*'
);

-- A conversation goes into the PIMS by the same rules as everything else.
-- squawk-ignore ban-drop-constraint
alter table write_back drop constraint write_back_kind_known;
-- squawk-ignore constraint-missing-not-valid
alter table write_back add constraint write_back_kind_known
  check (kind in ('client', 'patient', 'appointment', 'conversation'));
-- squawk-ignore ban-drop-constraint
alter table write_back drop constraint write_back_action_known;
-- squawk-ignore constraint-missing-not-valid
alter table write_back add constraint write_back_action_known
  check (action in ('create', 'change', 'cancel', 'confirm', 'status', 'export'));
