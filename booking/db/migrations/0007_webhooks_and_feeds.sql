-- migrate:up

-- Where a practice wants to be told what happened. The signing secret is derived from the installation's key, this id
-- and `generation`; nothing secret is stored. The lease makes one worker at a time deliver to an endpoint, in order.
create table webhook_endpoint (
  practice_id uuid not null references practice,
  webhook_endpoint_id uuid not null,
  url text not null,
  description text not null default '',
  events text[] not null,
  enabled boolean not null default true,
  disabled_because text,
  generation integer not null default 1,
  rotated_at timestamptz,
  failing_since timestamptz,
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null,
  primary key (practice_id, webhook_endpoint_id)
);
alter table webhook_endpoint enable row level security;
alter table webhook_endpoint force row level security;
create policy of_practice on webhook_endpoint using (
  practice_id::text = current_setting('vetslot.practice_id', true)
  or current_setting('vetslot.practice_id', true) = '*'
);

-- What happened, in the bytes that are sent: written in the transaction of what it speaks of.
create table webhook_event (
  practice_id uuid not null references practice,
  webhook_event_id uuid not null,
  type text not null,
  body text not null,
  created_at timestamptz not null,
  primary key (practice_id, webhook_event_id)
);
create index webhook_event_created_at on webhook_event (created_at);
alter table webhook_event enable row level security;
alter table webhook_event force row level security;
create policy of_practice on webhook_event using (
  practice_id::text = current_setting('vetslot.practice_id', true)
  or current_setting('vetslot.practice_id', true) = '*'
);

-- An event on its way to an endpoint, and what became of it.
create table webhook_delivery (
  practice_id uuid not null references practice,
  webhook_delivery_id uuid not null,
  webhook_event_id uuid not null,
  webhook_endpoint_id uuid not null,
  position bigint generated always as identity,
  state text not null default 'queued',
  attempts integer not null default 0,
  due_at timestamptz not null,
  status integer,
  reason text,
  created_at timestamptz not null,
  tried_at timestamptz,
  primary key (practice_id, webhook_delivery_id),
  foreign key (practice_id, webhook_event_id) references webhook_event on delete cascade,
  foreign key (practice_id, webhook_endpoint_id) references webhook_endpoint on delete cascade,
  constraint webhook_delivery_state_known check (state in ('queued', 'delivered', 'failed'))
);
create index webhook_delivery_due on webhook_delivery (due_at) where state = 'queued';
create index webhook_delivery_endpoint on webhook_delivery (practice_id, webhook_endpoint_id, position);
create index webhook_delivery_event on webhook_delivery (practice_id, webhook_event_id);
alter table webhook_delivery enable row level security;
alter table webhook_delivery force row level security;
create policy of_practice on webhook_delivery using (
  practice_id::text = current_setting('vetslot.practice_id', true)
  or current_setting('vetslot.practice_id', true) = '*'
);

-- A calendar that staff subscribe to: of one provider, or of the whole practice. Whoever has the secret may read it.
create table calendar_feed (
  practice_id uuid not null references practice,
  calendar_feed_id uuid not null,
  secret_hash bytea not null,
  name text not null,
  resource_id uuid,
  created_at timestamptz not null,
  revoked_at timestamptz,
  primary key (practice_id, calendar_feed_id),
  foreign key (practice_id, resource_id) references resource,
  constraint calendar_feed_secret_unique unique (practice_id, secret_hash)
);
alter table calendar_feed enable row level security;
alter table calendar_feed force row level security;
create policy of_practice on calendar_feed using (
  practice_id::text = current_setting('vetslot.practice_id', true)
  or current_setting('vetslot.practice_id', true) = '*'
);
