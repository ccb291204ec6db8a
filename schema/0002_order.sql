-- A dense global order, given after the fact, with an RFC 6962 tree over it; incarnations of the log; a faster append. Nothing here
-- rewrites a row of what is installed: an upgrade takes its locks for moments.

-- In the order in which an append takes them: the other way round the two would wait for one another.
lock table migrate.commit, migrate.log in access exclusive mode;

-- Incarnations are numbered; a commit belongs to one. Columns with a constant default are added without touching the rows.
alter table migrate.log add column number integer not null default 1;
alter table migrate.log alter column number drop default;
create unique index log_number on migrate.log (number);
-- This one stays: an append of the release before that is under way waits for us, and goes on as it was.
alter table migrate.commit add column incarnation integer not null default 1;

-- One row a commit, in an order that every reader sees the same: n is dense, and given once a commit can have no predecessor any more.
create table migrate.seal (
    n bigint primary key check (n > 0),
    id bigint not null unique,
    leaf bytea not null
);
-- The roots of whole subtrees of 256, 65,536, … leaves (level 8, 16, …), so that a proof reads little; `index` counts from 0.
create table migrate.node (
    level smallint not null, index bigint not null, hash bytea not null,
    primary key (level, index)
);
-- The sealer's cursor and the tree's head: one row, which whoever seals holds locked.
create table migrate.sealer (
    is_only boolean primary key default true check (is_only),
    n bigint not null,
    xid xid8 not null, id bigint not null,
    -- Commits up to this ID are sealed, whatever their transaction's ID says: a logical restore keeps old ones of another cluster.
    floor bigint not null,
    -- The roots of the perfect subtrees that the leaves make up, the largest first.
    frontier bytea[] not null,
    sealed_at timestamptz
);
insert into migrate.sealer values (true, 0, '0', 0, 0, '{}', null);
-- Who reads the order, and up to where he has; written in the transaction of what he writes.
create table migrate.subscriber (
    name text primary key, n bigint not null, at timestamptz not null default clock_timestamp()
);

create trigger append_only before update or delete or truncate on migrate.seal
    for each statement execute function migrate.refuse_change();
create trigger append_only before update or delete or truncate on migrate.node
    for each statement execute function migrate.refuse_change();

-- As before, in a language whose plans are kept: a third of an append went into reading the old one's.
drop function migrate.commit_hash(uuid, text, bigint, uuid, text, timestamptz, bytea, bytea);
drop function migrate.field(bytea);
-- SHA-256 over a domain tag and every field of a commit, each after its length in eight bytes; readers compute it again.
create function migrate.commit_hash(
    log_id uuid, stream text, version bigint, command_id uuid, actor text, at timestamptz, body bytea, prev bytea
) returns bytea language plpgsql immutable strict parallel safe as $$
begin
    return sha256(
        'migrate/commit/1'::bytea || int8send(16) || uuid_send(log_id)
        || int8send(octet_length(stream)) || convert_to(stream, 'UTF8')
        || int8send(8) || int8send(version) || int8send(16) || uuid_send(command_id)
        || int8send(octet_length(actor)) || convert_to(actor, 'UTF8')
        || int8send(8) || int8send((extract(epoch from at) * 1000000)::bigint)
        || int8send(length(body)) || body || int8send(length(prev)) || prev
    );
end $$;

-- Appends one commit to a stream, or says why not:
--   MG001 the stream is not at the expected version    MG002 the command ID was used for something else
--   MG003 decidedAt lies too far from the clock         MG004 the transaction has written already
--   MG005 the body is not a commit                      MG006 the stream's last commit does not hash to its head
--   MG008 the command ID has made its commit already
-- p_head: the hash of the commit at the expected version, which tells a log that has lost it and gone another way (MG001 too); null where
-- nothing was read. p_begins: the commit begins a new incarnation, whose revisions routers take although they know higher ones of those before; only what a
-- person decides after the log went back in time does, and a replay checks that.
create function migrate.append(
    p_stream text, p_expected bigint, p_head bytea, p_command_id uuid, p_actor text, p_body bytea, p_begins boolean,
    out version bigint, out at timestamptz, out hash bytea, out incarnation integer
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_last record;
    v_made record;
    v_log uuid;
    v_head bytea := '';
    v_json jsonb;
    v_decided bigint;
    v_clock timestamptz;
    v_micros bigint;
    v_void text;
begin
    -- The lock comes before the transaction's ID, or the order of a stream could invert against the order that readers see.
    if pg_current_xact_id_if_assigned() is not null then
        raise exception 'append must be the first write of its transaction' using errcode = 'MG004';
    end if;
    -- An assignment: a simple expression, where PERFORM would run a query.
    v_void := pg_advisory_xact_lock(hashtextextended(p_stream, 0));

    select c.stream, c.version, c.actor, c.body into v_made from migrate.commit c where c.command_id = p_command_id;
    if found then
        if v_made.stream <> p_stream or v_made.actor <> p_actor
            or convert_from(v_made.body, 'UTF8')::jsonb -> 'command' <> convert_from(p_body, 'UTF8')::jsonb -> 'command' then
            raise exception 'command % was already used for another command', p_command_id using errcode = 'MG002';
        end if;
        -- An error, so that nothing else of this transaction is done a second time.
        raise exception 'command % made version % already', p_command_id, v_made.version using errcode = 'MG008';
    end if;

    select s.version as head_version, s.head, s.at as head_at, c.*, l.log_id into v_last
        from migrate.stream s
        left join migrate.commit c on c.stream = s.stream and c.version = s.version
        left join migrate.log l on l.number = c.incarnation
        where s.stream = p_stream;
    if coalesce(v_last.head_version, 0) <> p_expected then
        raise exception 'stream % is at version %, not %', p_stream, coalesce(v_last.head_version, 0), p_expected
            using errcode = 'MG001';
    end if;
    if p_head <> v_last.head then
        raise exception 'version % of stream % is another commit than was read', p_expected, p_stream using errcode = 'MG001';
    end if;
    if v_last.head_version is not null then
        if v_last.hash is null or v_last.hash <> v_last.head or v_last.log_id is null or v_last.head <> migrate.commit_hash(
            v_last.log_id, v_last.stream, v_last.version, v_last.command_id, v_last.actor, v_last.at, v_last.body, v_last.prev) then
            raise exception 'stream % was changed at its head, version %', p_stream, v_last.head_version using errcode = 'MG006';
        end if;
        v_head := v_last.head;
        v_log := v_last.log_id;
        incarnation := v_last.incarnation;
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
    v_clock := greatest(clock_timestamp(), v_last.head_at);
    v_micros := (extract(epoch from v_clock) * 1000000)::bigint;
    if v_decided not between v_micros - 60000000 and v_micros then
        raise exception 'the decision was not made within the last 60 s by this clock' using errcode = 'MG003';
    end if;

    -- A stream stays in its incarnation; a new one begins in the newest.
    if p_begins then
        -- Several migrations may be taken back at once after a failover.
        v_void := pg_advisory_xact_lock(hashtextextended('migrate log', 0));
        insert into migrate.log (log_id, number) select gen_random_uuid(), max(l.number) + 1 from migrate.log l;
    end if;
    if p_begins or incarnation is null then
        select l.log_id, l.number into strict v_log, incarnation from migrate.log l order by l.number desc limit 1;
    end if;

    version := p_expected + 1;
    at := v_clock;
    hash := migrate.commit_hash(v_log, p_stream, version, p_command_id, p_actor, at, p_body, v_head);
    insert into migrate.commit (stream, version, command_id, actor, at, body, prev, hash, incarnation)
        values (p_stream, version, p_command_id, p_actor, at, p_body, v_head, hash, incarnation);
    insert into migrate.stream as s (stream, version, head, at) values (p_stream, version, hash, at)
        on conflict (stream) do update set version = excluded.version, head = excluded.head, at = excluded.at;
    -- A notification takes a lock on the whole database at commit, so only what changes a route sends one.
    if jsonb_path_exists(v_json, '$.events[*].keyvalue() ? (@.key == "weightsSet" || @.key == "flagSet" || @.key == "logRewound")') then
        perform pg_notify('migrate_route', p_stream || ' ' || version);
    end if;
end $$;

-- As releases before incarnations call it.
create or replace function migrate.append(
    p_stream text, p_expected bigint, p_command_id uuid, p_actor text, p_body bytea,
    out version bigint, out at timestamptz, out hash bytea
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    select a.version, a.at, a.hash into version, at, hash
        from migrate.append(p_stream, p_expected, null, p_command_id, p_actor, p_body, false) a;
end $$;

-- Gives the next commits their places in the order and the tree: those of transactions that began before any that is still under way, so
-- that nothing can come to stand before them. Returns how many it sealed.
-- Its plans are kept from a time when there may have been no seals yet: no table is read whole.
--   MG009 a commit would come before its predecessor in its stream
create function migrate.seal_next(p_limit integer) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
    v_sealer migrate.sealer;
    v_count integer := 0;
    v_commit record;
begin
    select * into strict v_sealer from migrate.sealer for update;
    for v_commit in
        select c.id, c.xid, c.stream, c.version, c.hash from migrate.commit c
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

-- Seals everything that there is, by the commits' own IDs: after a logical restore the transactions' are another cluster's. Writers wait
-- meanwhile, and so it is done when nobody is left whose commit could come to stand before. Returns how many it sealed.
create function migrate.seal_restored() returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
    v_sealer migrate.sealer;
    v_count integer := 0;
    v_commit record;
begin
    lock table migrate.commit in share mode;
    select * into strict v_sealer from migrate.sealer for update;
    for v_commit in
        select c.id, c.stream, c.version, c.hash from migrate.commit c left join migrate.seal s using (id)
        where s.id is null order by c.id
    loop
        v_sealer := migrate.sealed(v_sealer, v_commit.id, v_commit.stream, v_commit.version, v_commit.hash);
        v_count := v_count + 1;
    end loop;
    update migrate.sealer s set n = v_sealer.n, xid = '0', id = 0, frontier = v_sealer.frontier, sealed_at = clock_timestamp(),
        floor = coalesce((select max(c.id) from migrate.commit c), 0);
    return v_count;
end $$;

-- The sealer after one more leaf: SHA-256(0x00 ‖ hash), and a node SHA-256(0x01 ‖ left ‖ right) wherever two subtrees of one size meet
-- (RFC 6962, 2.1).
create function migrate.sealed(p_sealer migrate.sealer, p_id bigint, p_stream text, p_version bigint, p_hash bytea)
    returns migrate.sealer language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_node bytea := sha256('\x00'::bytea || p_hash);
    v_level integer := 0;
    v_rest bigint;
    v_depth integer := coalesce(array_length(p_sealer.frontier, 1), 0);
begin
    if p_version > 1 and not exists (
        select from migrate.commit c join migrate.seal s on s.id = c.id where c.stream = p_stream and c.version = p_version - 1
    ) then
        raise exception 'version % of % would be sealed before version %', p_version, p_stream, p_version - 1
            using errcode = 'MG009';
    end if;
    p_sealer.n := p_sealer.n + 1;
    insert into migrate.seal (n, id, leaf) values (p_sealer.n, p_id, v_node);
    v_rest := p_sealer.n;
    while v_rest % 2 = 0 loop
        v_node := sha256('\x01'::bytea || p_sealer.frontier[v_depth] || v_node);
        v_depth := v_depth - 1;
        v_level := v_level + 1;
        v_rest := v_rest / 2;
        if v_level % 8 = 0 then
            insert into migrate.node (level, index, hash) values (v_level, v_rest - 1, v_node);
        end if;
    end loop;
    p_sealer.frontier := p_sealer.frontier[1:v_depth] || v_node;
    return p_sealer;
end $$;

alter function migrate.append(text, bigint, bytea, uuid, text, bytea, boolean) owner to migrate_owner;
revoke all on function migrate.append(text, bigint, bytea, uuid, text, bytea, boolean) from public;
grant execute on function migrate.append(text, bigint, bytea, uuid, text, bytea, boolean) to migrate_append;
alter table migrate.seal owner to migrate_owner;
alter table migrate.node owner to migrate_owner;
alter table migrate.sealer owner to migrate_owner;
alter table migrate.subscriber owner to migrate_owner;
alter function migrate.seal_next(integer) owner to migrate_owner;
alter function migrate.seal_restored() owner to migrate_owner;
alter function migrate.sealed(migrate.sealer, bigint, text, bigint, bytea) owner to migrate_owner;
revoke all on function migrate.seal_next(integer), migrate.seal_restored(), migrate.sealed(migrate.sealer, bigint, text, bigint, bytea)
    from public;
grant execute on function migrate.seal_next(integer), migrate.seal_restored() to migrate_append;
grant select on migrate.seal, migrate.node, migrate.sealer, migrate.subscriber to migrate_append, migrate_read;
grant insert, update, delete on migrate.subscriber to migrate_append;
