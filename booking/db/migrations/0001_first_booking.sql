-- migrate:up

create extension if not exists btree_gist;

-- The tenant. `schedule_version` rises with every change that may change an offer.
create table practice (
  practice_id uuid primary key,
  slug text not null constraint practice_slug_unique unique,
  name text not null,
  timezone text not null,
  region text not null,
  phone text not null,
  email text not null default '',
  emergency_text text not null default '',
  address text not null,
  languages text[] not null default '{en}',
  allowed_origins text[] not null default '{}',
  who_may_book text not null default 'everyone',
  hours jsonb not null default '[]',
  hold_for interval not null default '10 minutes',
  freshness_limit interval not null default '15 minutes',
  stale_notice interval not null default '48 hours',
  schedule_version bigint not null default 0,
  constraint practice_who_may_book_known check (who_may_book in ('everyone', 'existing_clients'))
);

-- One practice's set-up of one adapter. `as_of`: our mirror shows the PIMS at that instant.
create table connection (
  practice_id uuid not null references practice,
  connection_id uuid not null,
  adapter text not null,
  settings jsonb not null,
  status text not null,
  cursor text,
  as_of timestamptz,
  failing_since timestamptz,
  failure text,
  primary key (practice_id, connection_id),
  constraint connection_status_known
    check (status in ('requested', 'activating', 'ready_for_setup', 'importing', 'live', 'paused'))
);

-- Anything whose time is used. The PIMS owns name, hours and capacity; roles are the practice's choice with us.
create table resource (
  practice_id uuid not null references practice,
  resource_id uuid not null,
  pims_id text,
  name text not null,
  kind text not null,
  roles text[] not null default '{}',
  person text,
  capacity integer not null default 1,
  hours jsonb,
  overrides jsonb not null default '[]',
  active boolean not null default true,
  primary key (practice_id, resource_id),
  constraint resource_pims_id_unique unique (practice_id, pims_id),
  constraint resource_kind_known check (kind in ('provider', 'technician', 'room', 'equipment')),
  constraint resource_capacity_positive check (capacity > 0)
);

create table closure (
  practice_id uuid not null references practice,
  closure_id uuid not null,
  pims_id text,
  name text not null,
  first date not null,
  last date not null,
  primary key (practice_id, closure_id),
  constraint closure_pims_id_unique unique (practice_id, pims_id)
);

create table block_off (
  practice_id uuid not null references practice,
  block_off_id uuid not null,
  pims_id text,
  resource_id uuid not null,
  "time" jsonb not null,
  reason text not null default '',
  primary key (practice_id, block_off_id),
  foreign key (practice_id, resource_id) references resource,
  constraint block_off_pims_id_unique unique (practice_id, pims_id)
);
create index block_off_resource on block_off (practice_id, resource_id);

create table rule (
  practice_id uuid not null references practice,
  rule_id uuid not null,
  name text not null,
  effect text not null,
  "when" jsonb not null,
  appointment_types uuid[],
  resources uuid[],
  release interval,
  primary key (practice_id, rule_id),
  constraint rule_effect_known check (effect in ('deny', 'reserve'))
);

-- What can be on the schedule. The PIMS owns `pims_name`; everything a client sees is the practice's choice with us.
-- `steps` name roles, not resources: [{"duration": "PT30M", "needs": [{"role": "veterinarian", "count": 1}]}]
create table appointment_type (
  practice_id uuid not null references practice,
  appointment_type_id uuid not null,
  pims_id text,
  pims_name text not null,
  name text not null,
  description text not null default '',
  category text not null default 'other',
  position integer not null default 1000,
  species text[] not null default '{}',
  steps jsonb not null default '[]',
  grid jsonb not null default '{"every": "PT15M"}',
  buffer_before interval not null default '0',
  buffer_after interval not null default '0',
  bookable_online boolean not null default false,
  mode text not null default 'instant',
  who_may_book text not null default 'everyone',
  notice interval not null default '2 hours',
  horizon interval not null default '60 days',
  max_per_day integer,
  active boolean not null default true,
  primary key (practice_id, appointment_type_id),
  constraint appointment_type_pims_id_unique unique (practice_id, pims_id),
  constraint appointment_type_mode_known check (mode in ('instant', 'callback')),
  constraint appointment_type_who_may_book_known check (who_may_book in ('everyone', 'existing', 'new'))
);

create table client (
  practice_id uuid not null references practice,
  client_id uuid not null,
  pims_id text,
  given_name text not null,
  family_name text not null,
  active boolean not null default true,
  created_at timestamptz not null,
  primary key (practice_id, client_id),
  constraint client_pims_id_unique unique (practice_id, pims_id)
);

-- How a client can be reached, as typed and in the form that is compared: E.164 or lower case.
create table client_contact (
  practice_id uuid not null references practice,
  client_id uuid not null,
  kind text not null,
  value text not null,
  as_typed text not null,
  primary key (practice_id, client_id, kind, value),
  foreign key (practice_id, client_id) references client on delete cascade,
  constraint client_contact_kind_known check (kind in ('phone', 'email'))
);
create index client_contact_value on client_contact (practice_id, kind, value);

create table patient (
  practice_id uuid not null references practice,
  patient_id uuid not null,
  pims_id text,
  client_id uuid not null,
  name text not null,
  species text not null,
  breed text not null default '',
  sex text not null default '',
  birth_date date,
  status text not null default 'active',
  primary key (practice_id, patient_id),
  foreign key (practice_id, client_id) references client,
  constraint patient_pims_id_unique unique (practice_id, pims_id),
  constraint patient_status_known check (status in ('active', 'inactive', 'deceased'))
);
create index patient_client on patient (practice_id, client_id);

-- Agreed meetings: those booked with us and those we learned of from the PIMS.
create table appointment (
  practice_id uuid not null references practice,
  appointment_id uuid not null,
  pims_id text,
  reference text,
  manage_token_hash bytea,
  source text not null,
  status text not null default 'booked',
  appointment_type_id uuid,
  client_id uuid,
  patient_id uuid,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  resources jsonb not null default '{}',
  new_client boolean not null default false,
  reason text not null default '',
  description text not null default '',
  calendar_sequence integer not null default 0,
  created_at timestamptz not null,
  primary key (practice_id, appointment_id),
  foreign key (practice_id, appointment_type_id) references appointment_type,
  foreign key (practice_id, client_id) references client,
  foreign key (practice_id, patient_id) references patient,
  constraint appointment_pims_id_unique unique (practice_id, pims_id),
  constraint appointment_reference_unique unique (practice_id, reference),
  constraint appointment_manage_token_unique unique (practice_id, manage_token_hash),
  constraint appointment_span_not_empty check (starts_at < ends_at),
  constraint appointment_source_known check (source in ('online', 'pims', 'staff')),
  constraint appointment_status_known
    check (status in ('booked', 'confirmed', 'arrived', 'fulfilled', 'cancelled', 'no_show'))
);
create index appointment_starts_at on appointment (practice_id, starts_at);
create index appointment_client on appointment (practice_id, client_id);

-- A slot kept for minutes for one client. Whoever has the secret has the hold.
create table hold (
  practice_id uuid not null references practice,
  hold_id uuid not null,
  secret_hash bytea not null,
  appointment_type_id uuid not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  resources jsonb not null,
  wish jsonb not null,
  expires_at timestamptz not null,
  extended boolean not null default false,
  primary key (practice_id, hold_id),
  foreign key (practice_id, appointment_type_id) references appointment_type
);
create index hold_expires_at on hold (practice_id, expires_at);

-- This resource lane is taken for this span by this hold or appointment. The exclusion constraint is the last judge of
-- double booking. Lanes up to the resource's capacity are ours to give; what the practice double-booked in its PIMS
-- stands on the lanes above.
create table claim (
  practice_id uuid not null references practice,
  claim_id uuid not null default gen_random_uuid(),
  resource_id uuid not null,
  lane integer not null,
  during tstzrange not null,
  hold_id uuid,
  appointment_id uuid,
  primary key (practice_id, claim_id),
  foreign key (practice_id, resource_id) references resource,
  -- Deferred: the claim is what decides whether its hold or appointment comes to be.
  foreign key (practice_id, hold_id) references hold on delete cascade deferrable initially deferred,
  foreign key (practice_id, appointment_id) references appointment on delete cascade deferrable initially deferred,
  constraint claim_lane_positive check (lane > 0),
  constraint claim_span_not_empty check (not isempty(during)),
  constraint claim_has_one_holder check (num_nonnulls(hold_id, appointment_id) = 1),
  constraint claim_never_overlaps
    exclude using gist (practice_id with =, resource_id with =, lane with =, during with &&)
);
create index claim_during on claim using gist (practice_id, during);
create index claim_hold on claim (practice_id, hold_id) where hold_id is not null;
create index claim_appointment on claim (practice_id, appointment_id) where appointment_id is not null;

-- Asked for, not agreed.
create table appointment_request (
  practice_id uuid not null references practice,
  appointment_request_id uuid not null,
  appointment_type_id uuid,
  contact_kind text not null,
  contact_value text not null,
  name text not null,
  patient_name text not null,
  species text not null,
  preferred_times text not null default '',
  message text not null default '',
  status text not null default 'open',
  created_at timestamptz not null,
  primary key (practice_id, appointment_request_id),
  foreign key (practice_id, appointment_type_id) references appointment_type
);
create index appointment_request_created_at on appointment_request (practice_id, created_at);

-- The answer given to an Idempotency-Key, to be given again.
create table idempotency (
  practice_id uuid not null references practice,
  key text not null,
  fingerprint bytea not null,
  answer uuid,
  created_at timestamptz not null,
  primary key (practice_id, key)
);

-- The outbox towards the PIMS: written in the transaction of what it speaks of, delivered by the worker.
create table write_back (
  practice_id uuid not null references practice,
  write_back_id uuid not null,
  position bigint generated always as identity,
  appointment_id uuid not null,
  kind text not null,
  subject_id uuid not null,
  key text not null,
  state text not null default 'queued',
  attempts integer not null default 0,
  due_at timestamptz not null,
  lease uuid,
  leased_until timestamptz,
  reason text,
  queued_at timestamptz not null,
  written_at timestamptz,
  primary key (practice_id, write_back_id),
  foreign key (practice_id, appointment_id) references appointment,
  constraint write_back_key_unique unique (practice_id, key),
  constraint write_back_kind_known check (kind in ('client', 'patient', 'appointment')),
  constraint write_back_state_known
    check (state in ('queued', 'sending', 'written', 'unknown', 'needs_attention', 'superseded'))
);
create index write_back_due on write_back (due_at) where state in ('queued', 'sending', 'unknown');
create index write_back_appointment on write_back (practice_id, appointment_id, position);
create index write_back_subject on write_back (practice_id, subject_id);

-- Texts and emails on their way out. The words are erased once they are sent.
create table message (
  practice_id uuid not null references practice,
  message_id uuid not null,
  position bigint generated always as identity,
  channel text not null,
  purpose text not null,
  recipient text,
  subject text,
  body text,
  attachment text,
  state text not null default 'queued',
  attempts integer not null default 0,
  due_at timestamptz not null,
  leased_until timestamptz,
  reason text,
  created_at timestamptz not null,
  sent_at timestamptz,
  primary key (practice_id, message_id),
  constraint message_channel_known check (channel in ('text', 'email')),
  constraint message_state_known check (state in ('queued', 'sending', 'sent', 'failed'))
);
create index message_due on message (due_at) where state in ('queued', 'sending');

create table staff (
  practice_id uuid not null references practice,
  staff_id uuid not null,
  email text not null,
  name text not null,
  password_hash text not null,
  role text not null,
  active boolean not null default true,
  primary key (practice_id, staff_id),
  constraint staff_email_unique unique (practice_id, email),
  constraint staff_role_known check (role in ('owner', 'manager', 'front_desk', 'read_only'))
);

-- Who changed what: append-only.
create table audit (
  practice_id uuid not null references practice,
  audit_id uuid not null default gen_random_uuid(),
  position bigint generated always as identity,
  staff_id uuid,
  what text not null,
  subject_id uuid not null,
  before jsonb,
  after jsonb,
  at timestamptz not null,
  primary key (practice_id, audit_id)
);
