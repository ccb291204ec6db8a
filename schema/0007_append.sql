-- A faster append. What it asks is asked of one table at a time, by a key: joined, it was planned while a log was new, and read the whole log
-- at each append until its statistics were next gathered.

-- In the order in which an append takes them.
lock table migrate.commit in access exclusive mode;

-- The checks of a table are parsed anew for every statement that writes it. The append checks a name's length itself, below, and an import
-- where it verifies the bundle.
alter table migrate.commit drop constraint commit_stream_check, drop constraint commit_actor_check;

-- Appends one commit to a stream, or says why not: by the contract of 0002_order.sql, and
--   23514 a stream or an actor has not 1 to 200 characters, or something is null
create or replace function migrate.append(
    p_stream text, p_expected bigint, p_head bytea, p_command_id uuid, p_actor text, p_body bytea, p_begins boolean,
    out version bigint, out at timestamptz, out hash bytea, out incarnation integer
) language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
    v_made record;
    v_last record;
    v_was bigint;
    v_head bytea;
    v_head_at timestamptz;
    v_log uuid;
    v_json jsonb;
    v_decided bigint;
    v_micros bigint;
    v_void text;
begin
    -- The lock comes before the transaction's ID, or the order of a stream could invert against the order that readers see.
    if pg_current_xact_id_if_assigned() is not null then
        raise exception 'append must be the first write of its transaction' using errcode = 'MG004';
    end if;
    if (length(p_stream) between 1 and 200 and length(p_actor) between 1 and 200) is not true
        or p_expected is null or p_command_id is null or p_body is null then
        raise exception 'a commit has a stream and an actor of 1 to 200 characters, a version before it, a command ID and a body'
            using errcode = '23514';
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

    select s.version, s.head, s.at into v_was, v_head, v_head_at from migrate.stream s where s.stream = p_stream;
    if coalesce(v_was, 0) <> p_expected then
        raise exception 'stream % is at version %, not %', p_stream, coalesce(v_was, 0), p_expected using errcode = 'MG001';
    end if;
    if p_head <> v_head then
        raise exception 'version % of stream % is another commit than was read', p_expected, p_stream using errcode = 'MG001';
    end if;
    if v_was is null then
        v_head := '';
    else
        select c.command_id, c.actor, c.at, c.body, c.prev, c.hash, c.incarnation into v_last
            from only migrate.commit c where c.stream = p_stream and c.version = v_was;
        if not found then
            select c.command_id, c.actor, c.at, c.body, c.prev, c.hash, c.incarnation into v_last
                from migrate.commit_cold c where c.stream = p_stream and c.version = v_was;
        end if;
        select l.log_id into v_log from migrate.log l where l.number = v_last.incarnation;
        if v_log is null or v_last.hash <> v_head or v_head <> migrate.commit_hash(
            v_log, p_stream, v_was, v_last.command_id, v_last.actor, v_last.at, v_last.body, v_last.prev) then
            raise exception 'stream % was changed at its head, version %', p_stream, v_was using errcode = 'MG006';
        end if;
        incarnation := v_last.incarnation;
    end if;

    begin
        v_json := convert_from(p_body, 'UTF8')::jsonb;
        v_decided := (v_json ->> 'decidedAt')::bigint;
    exception when others then
        raise exception 'the body is not a commit: %', sqlerrm using errcode = 'MG005';
    end;
    if v_decided is null or jsonb_typeof(v_json -> 'events') is distinct from 'array' or v_json -> 'command' is null
        or v_json @? '$.events[*] ? (@.type() != "object")' then
        raise exception 'the body is not a commit' using errcode = 'MG005';
    end if;
    -- The clock of a stream never goes back, even where the machine's does.
    at := greatest(clock_timestamp(), v_head_at);
    v_micros := (extract(epoch from at) * 1000000)::bigint;
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
    hash := migrate.commit_hash(v_log, p_stream, version, p_command_id, p_actor, at, p_body, v_head);
    insert into migrate.commit (stream, version, command_id, actor, at, body, prev, hash, incarnation)
        values (p_stream, version, p_command_id, p_actor, at, p_body, v_head, hash, incarnation);
    if v_was is null then
        insert into migrate.stream (stream, version, head, at) values (p_stream, version, hash, at);
    else
        update migrate.stream s set version = append.version, head = append.hash, at = append.at where s.stream = p_stream;
    end if;
    -- A notification takes a lock on the whole database at commit, so only what changes a route sends one.
    if v_json @? '$.events[*] ? (exists (@.weightsSet) || exists (@.flagSet) || exists (@.logRewound))' then
        perform pg_notify('migrate_route', p_stream || ' ' || version);
    end if;
end $$;
