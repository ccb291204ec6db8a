-- The commits of migrations that are over, apart from those that are appended to: a cold partition, which may lie on a slower disk. It
-- inherits from the log's table, so whoever reads the log reads both, and places, proofs and hashes stay what they are. (A declared partition would need its
-- key in every unique index, and a command's ID has to be unique in the whole log.)
create table migrate.commit_cold (
    primary key (id), unique (stream, version), unique (command_id)
) inherits (migrate.commit);
alter table migrate.commit_cold alter column body set storage external;
alter table migrate.commit_cold owner to migrate_owner;
grant select on migrate.commit_cold to migrate_append, migrate_read;
grant select on migrate.migration to migrate_owner;

-- Nothing is changed or deleted; only the function below takes commits from one table and puts the same into the other.
create or replace trigger append_only before update or delete or truncate on migrate.commit
    for each statement when (current_setting('migrate.moving', true) is distinct from 'on') execute function migrate.refuse_change();
create trigger append_only before update or delete or truncate on migrate.commit_cold
    for each statement execute function migrate.refuse_change();

-- Moves the first commits of a migration that is over into the cold partition: as many as the limit, those that have their place in the order.
-- Returns how many it moved.
--   MG010 the migration is not over
create function migrate.move_cold(p_stream text, p_limit integer) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_count integer;
begin
    -- Whoever appends to the stream waits, and finds all of it.
    perform pg_advisory_xact_lock(hashtextextended(p_stream, 0));
    if not exists (select from migrate.migration m where m.stream = p_stream and m.phase in ('completed', 'abandoned')) then
        raise exception '% is not over', p_stream using errcode = 'MG010';
    end if;
    perform set_config('migrate.moving', 'on', true);
    with moved as (
        delete from only migrate.commit c where c.id in (
            select h.id from only migrate.commit h join migrate.seal s using (id)
            where h.stream = p_stream order by h.version limit p_limit
        ) returning c.*
    )
    insert into migrate.commit_cold (id, xid, stream, version, command_id, actor, at, body, prev, hash, incarnation)
    select m.id, m.xid, m.stream, m.version, m.command_id, m.actor, m.at, m.body, m.prev, m.hash, m.incarnation from moved m;
    get diagnostics v_count = row_count;
    perform set_config('migrate.moving', 'off', true);
    return v_count;
end $$;
alter function migrate.move_cold(text, integer) owner to migrate_owner;
revoke all on function migrate.move_cold(text, integer) from public;

-- As before; what is cold has its place.
create or replace function migrate.seal_next(p_limit integer) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
    v_sealer migrate.sealer;
    v_count integer := 0;
    v_commit record;
begin
    select * into strict v_sealer from migrate.sealer for update;
    for v_commit in
        select c.id, c.xid, c.stream, c.version, c.hash from only migrate.commit c
        where (c.xid, c.id) > (v_sealer.xid, v_sealer.id) and c.xid < pg_snapshot_xmin(pg_current_snapshot()) and c.id > v_sealer.floor
        order by c.xid, c.id limit p_limit
    loop
        v_sealer := migrate.sealed(v_sealer, v_commit.id, v_commit.stream, v_commit.version, v_commit.hash);
        v_sealer.xid := v_commit.xid;
        v_sealer.id := v_commit.id;
        v_count := v_count + 1;
    end loop;
    if v_count > 0 then
        update migrate.sealer s set n = v_sealer.n, xid = v_sealer.xid, id = v_sealer.id, frontier = v_sealer.frontier,
            sealed_at = clock_timestamp();
    end if;
    return v_count;
end $$;
