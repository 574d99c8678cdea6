-- migrate:up

-- A PIMS may tell hours, or leave them to us: then what the practice has set up here stays.
-- Triggers as before: this is a change of the row like any other.
alter table resource add column hours_from_pims boolean not null default false;
alter table practice add column hours_from_pims boolean not null default false;
update resource set hours_from_pims = pims_id is not null and hours is not null;
update practice p set hours_from_pims = exists (select from connection c where c.practice_id = p.practice_id)
  and p.hours <> '[]';
