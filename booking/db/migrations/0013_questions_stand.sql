-- migrate:up

-- What is asked before a visit stands from day to day, too (see 0011).
create constraint trigger question_added after insert or delete on question deferrable initially deferred
  for each row execute function rename_standing_version();
create constraint trigger question_changed after update on question deferrable initially deferred
  for each row when (old.* is distinct from new.*) execute function rename_standing_version();
