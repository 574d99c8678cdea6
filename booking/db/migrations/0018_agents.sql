-- migrate:up

-- The agent beside a practice's PIMS: its token, which running instance has the line, and what it last said of itself
-- (`said`: its hello). `skew`: how far its clock is ahead of ours. `refused`: why it was not let in the last time.
create table agent (
  practice_id uuid not null references practice,
  connection_id uuid not null,
  generation integer not null,
  token_hash bytea,
  issued_at timestamptz not null,
  previous_hash bytea,
  previous_until timestamptz,
  instance text,
  leased_until timestamptz,
  seen_at timestamptz,
  said_at timestamptz,
  said jsonb,
  skew interval not null default interval '0',
  refused text,
  refused_at timestamptz,
  primary key (practice_id, connection_id),
  foreign key (practice_id, connection_id) references connection on delete cascade
);
alter table agent enable row level security;
alter table agent force row level security;
create policy of_practice on agent using (
  practice_id = (select nullif(nullif(current_setting('vetslot.practice_id', true), ''), '*')::uuid)
  or (select current_setting('vetslot.practice_id', true)) = '*');

-- How far an agent has pushed a feed: the cursor that its next page must follow ('': the beginning), and the instant,
-- by our clock, whose whole state has been pushed.
create table agent_feed (
  practice_id uuid not null references practice,
  connection_id uuid not null,
  feed text not null,
  head text not null default '',
  as_of timestamptz,
  primary key (practice_id, connection_id, feed),
  foreign key (practice_id, connection_id) references connection on delete cascade
);
alter table agent_feed enable row level security;
alter table agent_feed force row level security;
create policy of_practice on agent_feed using (
  practice_id = (select nullif(nullif(current_setting('vetslot.practice_id', true), ''), '*')::uuid)
  or (select current_setting('vetslot.practice_id', true)) = '*');

-- Pages that an agent pushed, until sync has read past them (`read_at`) and a little longer.
create table agent_page (
  practice_id uuid not null references practice,
  connection_id uuid not null,
  feed text not null,
  position bigint generated always as identity,
  after text not null,
  cursor text not null,
  more boolean not null,
  as_of timestamptz not null,
  rows bytea not null,
  read_at timestamptz,
  primary key (practice_id, connection_id, feed, position),
  constraint agent_page_follows_once unique (practice_id, connection_id, feed, after),
  foreign key (practice_id, connection_id) references connection on delete cascade
);
alter table agent_page enable row level security;
alter table agent_page force row level security;
create policy of_practice on agent_page using (
  practice_id = (select nullif(nullif(current_setting('vetslot.practice_id', true), ''), '*')::uuid)
  or (select current_setting('vetslot.practice_id', true)) = '*');

-- What an agent is asked to do: waiting, fetched, answered. A key has one row, whatever becomes of it.
create table agent_call (
  practice_id uuid not null references practice,
  connection_id uuid not null,
  call_id uuid not null,
  position bigint generated always as identity,
  call text not null,
  key text,
  body bytea not null,
  asked_at timestamptz not null,
  deadline timestamptz not null,
  fetched_at timestamptz,
  instance text,
  answered_at timestamptz,
  answer bytea,
  failure jsonb,
  primary key (practice_id, connection_id, call_id),
  foreign key (practice_id, connection_id) references connection on delete cascade
);
create unique index agent_call_key_once on agent_call (practice_id, connection_id, call, key) where key is not null;
create index agent_call_open on agent_call (practice_id, connection_id, position) where answered_at is null;
create index agent_call_asked_at on agent_call (asked_at);
alter table agent_call enable row level security;
alter table agent_call force row level security;
create policy of_practice on agent_call using (
  practice_id = (select nullif(nullif(current_setting('vetslot.practice_id', true), ''), '*')::uuid)
  or (select current_setting('vetslot.practice_id', true)) = '*');
