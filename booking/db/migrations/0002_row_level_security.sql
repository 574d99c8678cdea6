-- migrate:up

-- Behind every statement's own `practice_id =`: a session sees the rows of the practice that it was told to, workers
-- ('*') see all, and whoever was told nothing sees none. `force` binds the tables' owner, too.
do $$
declare
  each text;
begin
  for each in
    select c.table_name from information_schema.columns c
    join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
    where c.table_schema = current_schema and c.column_name = 'practice_id' and t.table_type = 'BASE TABLE'
  loop
    execute format('alter table %I enable row level security', each);
    execute format('alter table %I force row level security', each);
    execute format(
      'create policy of_practice on %I using (practice_id::text = current_setting(''vetslot.practice_id'', true)'
      ' or current_setting(''vetslot.practice_id'', true) = ''*'')', each);
  end loop;
end
$$;

-- How a practice is found by the name in its addresses.
create policy found_by_anyone on practice for select using (true);

-- No release has these tables yet, so nobody waits while they are rewritten.
-- An index is used under row-level security only for comparisons that leak nothing; a range's overlap is none.
-- squawk-ignore adding-field-with-default
alter table claim add column starts_at timestamptz generated always as (lower(during)) stored;
-- squawk-ignore adding-field-with-default
alter table claim add column ends_at timestamptz generated always as (upper(during)) stored;
-- squawk-ignore require-concurrent-index-creation
create index claim_ends_at on claim (practice_id, ends_at);
-- squawk-ignore require-concurrent-index-deletion
drop index claim_during;
