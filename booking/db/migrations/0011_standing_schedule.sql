-- migrate:up

-- What a practice has set up changes seldom and is read for every answer: processes keep it under this name, which
-- is another one after every change, whoever makes it and by whatever way. Deferred to the commit, so that the
-- practice's row is the last that a transaction locks.
-- squawk-ignore adding-field-with-default
alter table practice add column standing_version uuid not null default gen_random_uuid();

create function rename_standing_version() returns trigger language plpgsql as $$
begin
  update practice set standing_version = gen_random_uuid()
  where practice_id = case when tg_op = 'DELETE' then old.practice_id else new.practice_id end;
  return null;
end
$$;

create constraint trigger resource_added after insert or delete on resource deferrable initially deferred
  for each row execute function rename_standing_version();
create constraint trigger resource_changed after update on resource deferrable initially deferred
  for each row when (old.* is distinct from new.*) execute function rename_standing_version();

create constraint trigger closure_added after insert or delete on closure deferrable initially deferred
  for each row execute function rename_standing_version();
create constraint trigger closure_changed after update on closure deferrable initially deferred
  for each row when (old.* is distinct from new.*) execute function rename_standing_version();

create constraint trigger block_off_added after insert or delete on block_off deferrable initially deferred
  for each row execute function rename_standing_version();
create constraint trigger block_off_changed after update on block_off deferrable initially deferred
  for each row when (old.* is distinct from new.*) execute function rename_standing_version();

create constraint trigger rule_added after insert or delete on rule deferrable initially deferred
  for each row execute function rename_standing_version();
create constraint trigger rule_changed after update on rule deferrable initially deferred
  for each row when (old.* is distinct from new.*) execute function rename_standing_version();

create constraint trigger appointment_type_added after insert or delete on appointment_type deferrable initially deferred
  for each row execute function rename_standing_version();
create constraint trigger appointment_type_changed after update on appointment_type deferrable initially deferred
  for each row when (old.* is distinct from new.*) execute function rename_standing_version();
