-- migrate:up

-- The same policies, asked once a statement instead of once a row: a sub-select is evaluated before the rows are.
do $$
declare
  each text;
begin
  for each in select tablename from pg_policies where schemaname = current_schema and policyname = 'of_practice'
  loop
    execute format(
      'alter policy of_practice on %I using ('
      'practice_id = (select nullif(nullif(current_setting(''vetslot.practice_id'', true), ''''), ''*'')::uuid)'
      ' or (select current_setting(''vetslot.practice_id'', true)) = ''*'')', each);
  end loop;
end
$$;
