-- migrate:up

-- No release has this table yet, so nobody waits while it is changed.

-- Texts with codes go to the country of the practice's region and to these (`{CA}`); so many a day at most.
alter table practice add column text_countries text[] not null default '{}';
alter table practice add column texts_per_day integer not null default 300;
-- squawk-ignore constraint-missing-not-valid
alter table practice add constraint practice_texts_per_day_not_negative check (texts_per_day >= 0);

-- How many texts strangers had a practice send on a day (UTC). Counted here, where emptying Redis forgets nothing.
create table code_text (
  practice_id uuid not null references practice,
  day date not null,
  sent integer not null,
  primary key (practice_id, day)
);
alter table code_text enable row level security;
alter table code_text force row level security;
create policy of_practice on code_text using (practice_id::text = current_setting('vetslot.practice_id', true)
  or current_setting('vetslot.practice_id', true) = '*');

-- The same over all practices of the installation, which pays for them together. It belongs to none of them.
create table code_text_total (
  day date primary key,
  sent integer not null
);
