-- migrate:up

-- No release has these tables yet, so nobody waits while they are changed.

-- What the connection's adapter can do and what it asks of new records, as a worker last saw it; abilities null: none
-- has looked yet. Bookings read it with what stands from day to day (see 0011).
alter table connection add column abilities text[];
alter table connection add column asks jsonb not null default '[]';
create constraint trigger connection_added after insert or delete on connection deferrable initially deferred
  for each row execute function rename_standing_version();
create constraint trigger connection_changed after update on connection deferrable initially deferred
  for each row when ((old.adapter, old.abilities, old.asks) is distinct from (new.adapter, new.abilities, new.asks))
  execute function rename_standing_version();

-- What some systems ask of new clients.
alter table client add column address text not null default '';
alter table client add column city text not null default '';
alter table client add column postal_code text not null default '';

-- `sent_at`: when it last left, as long as nobody knows what became of that; `accepted`: the PIMS said that it took it,
-- and is yet to show it. `note`: what staff should know though all is well. `escalated_at`: staff were told that the
-- visit is near. `waits_for`: the record that must be written before. `link_to`: the record of the PIMS that staff say
-- this is. `repairs`: how often other resources were found; `told_at`: when the client was told that none were.
alter table write_back add column sent_at timestamptz;
alter table write_back add column accepted boolean not null default false;
alter table write_back add column note text;
alter table write_back add column escalated_at timestamptz;
alter table write_back add column waits_for uuid;
alter table write_back add column link_to text;
alter table write_back add column repairs integer not null default 0;
alter table write_back add column told_at timestamptz;

-- squawk-ignore ban-drop-constraint
alter table write_back drop constraint write_back_action_known;
-- squawk-ignore constraint-missing-not-valid
alter table write_back add constraint write_back_action_known
  check (action in ('create', 'change', 'cancel', 'confirm', 'status'));

-- What a practice has on its way is few among all that it ever wrote.
-- squawk-ignore require-concurrent-index-creation
create index write_back_unfinished on write_back (practice_id, position) where state in ('queued', 'sending', 'unknown');
-- Staff see what is late first, then the newest.
-- squawk-ignore require-concurrent-index-creation
create index write_back_rank on write_back (practice_id, (position + case
  when escalated_at is not null and state not in ('written', 'superseded') then 1::bigint << 61 else 0 end));
-- What staff may yet have to be told of.
-- squawk-ignore require-concurrent-index-creation
create index write_back_not_late on write_back (queued_at)
  where escalated_at is null and state in ('queued', 'sending', 'unknown', 'needs_attention');
