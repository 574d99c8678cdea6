-- migrate:up

-- For how long a time is kept for somebody on the waitlist to whom it is offered.
alter table practice add column waitlist_hold_for interval not null default '30 minutes';

-- One row for each practice that ever had a waitlist: when a worker last looked for free times, under which schedule.
create table waitlist (
  practice_id uuid primary key references practice,
  schedule_version bigint not null default -1,
  looked_at timestamptz,
  leased_until timestamptz
);
alter table waitlist enable row level security;
alter table waitlist force row level security;
create policy of_practice on waitlist using (practice_id::text = current_setting('vetslot.practice_id', true)
  or current_setting('vetslot.practice_id', true) = '*');

-- Somebody who waits for a time: for what (`wish`), when it would suit them (`windows`), until which local date.
create table waitlist_entry (
  practice_id uuid not null references practice,
  waitlist_entry_id uuid not null,
  position bigint generated always as identity,
  contact_kind text not null,
  contact_value text not null,
  wish jsonb not null,
  windows jsonb not null,
  until date not null,
  state text not null default 'waiting',
  joined_at timestamptz not null,
  primary key (practice_id, waitlist_entry_id),
  constraint waitlist_entry_contact_kind_known check (contact_kind in ('phone', 'email')),
  constraint waitlist_entry_state_known check (state in ('waiting', 'offered', 'accepted', 'left', 'ended'))
);
create index waitlist_entry_line on waitlist_entry (practice_id, position) where state in ('waiting', 'offered');
alter table waitlist_entry enable row level security;
alter table waitlist_entry force row level security;
create policy of_practice on waitlist_entry using (practice_id::text = current_setting('vetslot.practice_id', true)
  or current_setting('vetslot.practice_id', true) = '*');

-- A time offered to one of them alone, kept by a hold. Nobody is offered the same start twice.
create table waitlist_offer (
  practice_id uuid not null references practice,
  waitlist_offer_id uuid not null,
  waitlist_entry_id uuid not null,
  hold_id uuid not null,
  secret_hash bytea not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  state text not null default 'open',
  offered_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (practice_id, waitlist_offer_id),
  foreign key (practice_id, waitlist_entry_id) references waitlist_entry on delete cascade,
  constraint waitlist_offer_start_once unique (practice_id, waitlist_entry_id, starts_at),
  constraint waitlist_offer_state_known check (state in ('open', 'accepted', 'declined', 'lapsed'))
);
create index waitlist_offer_open on waitlist_offer (practice_id, expires_at) where state = 'open';
create unique index waitlist_offer_one_open on waitlist_offer (practice_id, waitlist_entry_id) where state = 'open';
alter table waitlist_offer enable row level security;
alter table waitlist_offer force row level security;
create policy of_practice on waitlist_offer using (practice_id::text = current_setting('vetslot.practice_id', true)
  or current_setting('vetslot.practice_id', true) = '*');
