-- For people with SQL: what was decided, and where it stands, in words and percentages.

create or replace view migrate.event as
    select c.stream, c.version, e.ordinality as number, c.at, c.actor, k.key as type, e.value -> k.key as data,
        (select jsonb_object_keys(b.body -> 'command') limit 1) as command, s.n as place, encode(c.hash, 'hex') as hash
    from migrate.commit c
    cross join lateral (select convert_from(c.body, 'UTF8')::jsonb as body) b
    cross join lateral jsonb_array_elements(b.body -> 'events') with ordinality e
    cross join lateral jsonb_object_keys(e.value) k (key)
    left join migrate.seal s on s.id = c.id;

create view migrate.current_traffic as
    select t.stream as migration, t.environment, t.service,
        t.asked / 100.0 as asked_percent, t.effective / 100.0 as effective_percent,
        round(100.0 * t.observed_candidate / nullif(t.observed_total, 0), 2) as observed_percent,
        t.observed_total as observed_requests, t.acknowledged, t.routers, t.revision, c.at as set_at, c.actor as set_by
    from migrate.traffic t left join migrate.commit c on c.stream = t.stream and c.version = t.revision;

create view migrate.criteria_status as
    select c.stream as migration, c.stage, c.stage is not distinct from m.stage as is_current, c.kind, c.number, c.condition, c.verdict,
        c.value, c.of, c.legacy_value, c.legacy_of, c.breaches, c.needed, k.at as changed_at
    from migrate.criterion c join migrate.migration m using (stream)
    left join migrate.commit k on k.stream = c.stream and k.version = c.version;

create view migrate.rollback_history as
    select r.stream as migration, r.number, r.cause, r.reason, r.outcome, r.from_weight / 100.0 as from_percent, c.actor as decided_by,
        r.onset, r.detected_at, r.decided_at, r.acknowledged_at, r.confirmed_at,
        extract(epoch from r.decided_at - r.onset) as onset_to_decision_seconds,
        extract(epoch from r.acknowledged_at - r.decided_at) as decision_to_acknowledgement_seconds,
        extract(epoch from r.confirmed_at - r.decided_at) as decision_to_confirmation_seconds, r.is_overdue
    from migrate.rollback r left join migrate.commit c on c.stream = r.stream and c.version = r.revision;

grant select on migrate.event, migrate.current_traffic, migrate.criteria_status, migrate.rollback_history to migrate_append, migrate_read;
