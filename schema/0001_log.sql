-- The log of migrations: append-only commits, their streams' heads, what is projected from them, and what workers and routers tell
-- one another. Applied by `migrate db install` in one transaction; never edited once released (a later file changes it).

do $$
begin
    if not exists (select from pg_roles where rolname = 'migrate_owner') then create role migrate_owner nologin; end if;
    if not exists (select from pg_roles where rolname = 'migrate_append') then create role migrate_append nologin; end if;
    if not exists (select from pg_roles where rolname = 'migrate_read') then create role migrate_read nologin; end if;
exception when duplicate_object or unique_violation then null; -- another installation was faster
end $$;

grant usage, create on schema migrate to migrate_owner;
grant usage on schema migrate to migrate_append, migrate_read;

-- One incarnation of the log; a deliberate rewind makes a new one.
create table migrate.log (
    log_id uuid primary key,
    created_at timestamptz not null default clock_timestamp()
);
insert into migrate.log (log_id) values (gen_random_uuid());

-- One row a commit: a command and the events that it decided. `body` is the exact bytes that were hashed.
create table migrate.commit (
    id bigint generated always as identity primary key,
    xid xid8 not null default pg_current_xact_id(),
    stream text not null check (length(stream) between 1 and 200),
    version bigint not null check (version > 0),
    command_id uuid not null unique,
    actor text not null check (length(actor) between 1 and 200),
    at timestamptz not null,
    body bytea not null,
    prev bytea not null,
    hash bytea not null,
    unique (stream, version)
);
create index commit_order on migrate.commit (xid, id);
alter table migrate.commit alter column body set storage external;

-- The head of each stream.
create table migrate.stream (
    stream text primary key,
    version bigint not null,
    head bytea not null,
    at timestamptz not null
);

create function migrate.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% of % is refused: the log is append-only', tg_op, tg_table_name using errcode = 'MG007';
end $$;

create trigger append_only before update or delete or truncate on migrate.commit
    for each statement execute function migrate.refuse_change();
create trigger append_only before update or delete or truncate on migrate.log
    for each statement execute function migrate.refuse_change();

-- A field of a hash: its length in eight bytes, then itself.
create function migrate.field(value bytea) returns bytea language sql immutable strict parallel safe
    return int8send(length(value)) || value;

-- SHA-256 over a domain tag and every field of a commit; readers compute it again.
create function migrate.commit_hash(
    log_id uuid, stream text, version bigint, command_id uuid, actor text, at timestamptz, body bytea, prev bytea
) returns bytea language sql immutable strict parallel safe
    return sha256(
        convert_to('migrate/commit/1', 'UTF8') || migrate.field(uuid_send(log_id)) || migrate.field(convert_to(stream, 'UTF8'))
        || migrate.field(int8send(version)) || migrate.field(uuid_send(command_id)) || migrate.field(convert_to(actor, 'UTF8'))
        || migrate.field(int8send((extract(epoch from at) * 1000000)::bigint)) || migrate.field(body) || migrate.field(prev)
    );

-- Appends one commit to a stream, or says why not:
--   MG001 the stream is not at the expected version    MG002 the command ID was used for something else
--   MG003 decidedAt lies too far from the clock         MG004 the transaction has written already
--   MG005 the body is not a commit                      MG006 the stream's last commit does not hash to its head
--   MG008 the command ID has made its commit already
create function migrate.append(
    p_stream text, p_expected bigint, p_command_id uuid, p_actor text, p_body bytea,
    out version bigint, out at timestamptz, out hash bytea
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_log uuid;
    v_stream migrate.stream;
    v_last migrate.commit;
    v_json jsonb;
    v_decided bigint;
    v_clock timestamptz;
begin
    -- The lock comes before the transaction's ID, or the order of a stream could invert against the order that readers see.
    if pg_current_xact_id_if_assigned() is not null then
        raise exception 'append must be the first write of its transaction' using errcode = 'MG004';
    end if;
    perform pg_advisory_xact_lock(hashtextextended(p_stream, 0));

    select * into v_last from migrate.commit c where c.command_id = p_command_id;
    if found then
        if v_last.stream <> p_stream or v_last.actor <> p_actor
            or convert_from(v_last.body, 'UTF8')::jsonb -> 'command' <> convert_from(p_body, 'UTF8')::jsonb -> 'command' then
            raise exception 'command % was already used for another command', p_command_id using errcode = 'MG002';
        end if;
        -- An error, so that nothing else of this transaction is done a second time.
        raise exception 'command % made version % already', p_command_id, v_last.version using errcode = 'MG008';
    end if;

    select * into v_stream from migrate.stream s where s.stream = p_stream;
    if coalesce(v_stream.version, 0) <> p_expected then
        raise exception 'stream % is at version %, not %', p_stream, coalesce(v_stream.version, 0), p_expected
            using errcode = 'MG001';
    end if;
    select l.log_id into strict v_log from migrate.log l order by l.created_at desc limit 1;
    if v_stream.version is not null then
        select * into v_last from migrate.commit c where c.stream = p_stream and c.version = v_stream.version;
        if not found or v_last.hash <> v_stream.head or v_stream.head <> migrate.commit_hash(
            v_log, v_last.stream, v_last.version, v_last.command_id, v_last.actor, v_last.at, v_last.body, v_last.prev) then
            raise exception 'stream % was changed at its head, version %', p_stream, v_stream.version using errcode = 'MG006';
        end if;
    end if;

    begin
        v_json := convert_from(p_body, 'UTF8')::jsonb;
        v_decided := (v_json ->> 'decidedAt')::bigint;
    exception when others then
        raise exception 'the body is not a commit: %', sqlerrm using errcode = 'MG005';
    end;
    if v_decided is null or jsonb_typeof(v_json -> 'events') is distinct from 'array' or v_json -> 'command' is null then
        raise exception 'the body is not a commit' using errcode = 'MG005';
    end if;
    -- The clock of a stream never goes back, even where the machine's does.
    v_clock := greatest(clock_timestamp(), v_stream.at);
    if v_decided not between (extract(epoch from v_clock) * 1000000)::bigint - 60000000 and (extract(epoch from v_clock) * 1000000)::bigint
    then
        raise exception 'the decision was not made within the last 60 s by this clock' using errcode = 'MG003';
    end if;

    version := p_expected + 1;
    at := v_clock;
    hash := migrate.commit_hash(v_log, p_stream, version, p_command_id, p_actor, at, p_body, coalesce(v_stream.head, ''));
    insert into migrate.commit (stream, version, command_id, actor, at, body, prev, hash)
        values (p_stream, version, p_command_id, p_actor, at, p_body, coalesce(v_stream.head, ''), hash);
    insert into migrate.stream as s (stream, version, head, at) values (p_stream, version, hash, at)
        on conflict (stream) do update set version = excluded.version, head = excluded.head, at = excluded.at;
    -- A notification takes a lock on the whole database at commit, so only what changes a route sends one.
    if exists (select from jsonb_array_elements(v_json -> 'events') e where e ? 'weightsSet' or e ? 'flagSet') then
        perform pg_notify('migrate_route', p_stream || ' ' || version);
    end if;
end $$;

-- Folded states, to begin reading from; derived, and checked by `migrate replay`.
create table migrate.snapshot (
    stream text primary key,
    version bigint not null,
    head bytea not null,
    body bytea not null
);

-- Projections, upserted in the transaction of the append; `version` is the last commit that changed the row.
create table migrate.migration (
    stream text primary key, version bigint not null,
    phase text not null, stage text, step integer, plan_hash text not null, planned_at timestamptz not null, planned_by text not null,
    next_window bigint, run bigint, reason text
);
create table migrate.traffic (
    stream text, environment text, service text, version bigint not null,
    revision bigint not null, asked integer not null, effective integer not null, routers integer not null, acknowledged integer not null,
    observed_candidate bigint, observed_total bigint,
    primary key (stream, environment, service)
);
create table migrate.criterion (
    stream text, stage text, kind text check (kind in ('criterion', 'trigger')), number integer, version bigint not null,
    condition text not null, verdict text, value bigint, of bigint, legacy_value bigint, legacy_of bigint, breaches bigint, needed bigint,
    primary key (stream, stage, kind, number)
);
create table migrate.rollback (
    stream text, number integer, version bigint not null,
    cause text not null, reason text not null, outcome text not null, from_weight integer not null, revision bigint not null,
    onset timestamptz, detected_at timestamptz, decided_at timestamptz not null, acknowledged_at timestamptz, confirmed_at timestamptz,
    is_overdue boolean not null,
    primary key (stream, number)
);

-- What routers say of themselves, and what they measured; inputs of commands, never a record of decisions.
create table migrate.router (
    stream text, name text, environment text not null, log_id uuid, revision bigint, hash bytea, seen_at timestamptz not null,
    primary key (stream, name)
);
create table migrate.signal (
    stream text, k bigint, router text, environment text not null, body bytea not null,
    received_at timestamptz not null default clock_timestamp(),
    primary key (stream, k, router)
);

-- Who does what for how long; it saves work, and safety does not rest on it.
create table migrate.lease (
    name text primary key, holder text not null, epoch bigint not null, expires_at timestamptz not null
);

-- Takes or renews a lease: true when the holder has it now. A takeover raises the epoch.
create function migrate.take_lease(p_name text, p_holder text, p_life interval, out epoch bigint, out is_held boolean)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_lease migrate.lease;
begin
    insert into migrate.lease as l (name, holder, epoch, expires_at) values (p_name, p_holder, 1, clock_timestamp() + p_life)
        on conflict (name) do update set
            epoch = case when l.holder = excluded.holder then l.epoch else l.epoch + 1 end,
            holder = excluded.holder, expires_at = clock_timestamp() + p_life
        where l.holder = excluded.holder or l.expires_at < clock_timestamp()
        returning l.* into v_lease;
    is_held := found;
    epoch := v_lease.epoch;
end $$;

-- A row per event, for people with SQL.
create view migrate.event as
    select c.stream, c.version, e.ordinality as number, c.at, c.actor, k.key as type, e.value -> k.key as data
    from migrate.commit c
    cross join lateral jsonb_array_elements(convert_from(c.body, 'UTF8')::jsonb -> 'events') with ordinality e
    cross join lateral jsonb_object_keys(e.value) k (key);

alter table migrate.log owner to migrate_owner;
alter table migrate.commit owner to migrate_owner;
alter table migrate.stream owner to migrate_owner;
alter function migrate.append(text, bigint, uuid, text, bytea) owner to migrate_owner;
alter function migrate.refuse_change() owner to migrate_owner;
revoke all on function migrate.append(text, bigint, uuid, text, bytea) from public;

grant select on all tables in schema migrate to migrate_append, migrate_read;
grant execute on function migrate.append(text, bigint, uuid, text, bytea) to migrate_append;
grant insert, update, delete on migrate.snapshot, migrate.migration, migrate.traffic, migrate.criterion, migrate.rollback,
    migrate.router, migrate.signal, migrate.lease to migrate_append;
