-- Which process a router was when it said something last, and which one before that: two that say something in turns have one name, and each says nothing of what
-- the other does.
alter table migrate.router add column instance uuid, add column rival uuid, add column rival_at timestamptz, add column contested_at timestamptz;

-- The routers that the plan evicted and that have not said that they have a rollback: they may go on sending users to the candidate.
alter table migrate.rollback add column unheard text;
create or replace view migrate.rollback_history as
    select r.stream as migration, r.number, r.cause, migrate.tell(r.stream, r.reason) as reason, r.outcome,
        r.from_weight / 100.0 as from_percent, c.actor as decided_by,
        r.onset, r.detected_at, r.decided_at, r.acknowledged_at, r.confirmed_at,
        extract(epoch from r.decided_at - r.onset) as onset_to_decision_seconds,
        extract(epoch from r.acknowledged_at - r.decided_at) as decision_to_acknowledgement_seconds,
        extract(epoch from r.confirmed_at - r.decided_at) as decision_to_confirmation_seconds, r.is_overdue, r.unheard
    from migrate.rollback r left join lateral (
        select d.actor from migrate.commit d
        where d.stream = r.stream and d.version <= r.revision
            and (convert_from(d.body, 'UTF8')::jsonb ->> 'decidedAt')::bigint = (extract(epoch from r.decided_at) * 1000000)::bigint
        order by d.version desc limit 1
    ) c on true;
