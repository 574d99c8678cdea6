-- migrate:up

-- How close to a visit its client may still cancel or move it, and how often they may move it; after that they call.
alter table practice add column cancel_window interval not null default '24 hours';
alter table practice add column reschedule_window interval not null default '24 hours';
alter table practice add column max_reschedules integer not null default 3
  constraint practice_max_reschedules_not_negative check (max_reschedules >= 0);

-- `contact`: the proven one it was booked with, which is told of changes. `provider_id`: who was asked for by name.
-- `pims_said`: how the PIMS last showed it, which tells its news from an echo of what we have changed since.
alter table appointment add column contact jsonb;
alter table appointment add column provider_id uuid;
alter table appointment add column pims_said jsonb;
alter table appointment add column reschedules integer not null default 0;

-- Counts what the PIMS did on our word: a page of its changes that was read before may show it as it was.
alter table connection add column changes_written bigint not null default 0;

alter table write_back add column action text not null default 'create'
  constraint write_back_action_known check (action in ('create', 'change', 'cancel', 'confirm'));

-- What became of a request: the visits it led to (`reference`), or the practice's words to the client (`answer`).
alter table appointment_request add column reference text;
alter table appointment_request add column answer text;
alter table appointment_request add column decided_at timestamptz;
-- No release has this table yet, so nobody waits while it is looked through.
-- squawk-ignore constraint-missing-not-valid
alter table appointment_request add constraint appointment_request_status_known
  check (status in ('open', 'booked', 'declined', 'withdrawn'));
