-- What people wrote in their commands, kept apart from the commits: a commit has a text's token, which is its hash, in its place. The
-- content can be dropped, for a person's sake, and no hash of the log changes.
create table migrate.text (
    stream text not null,
    -- `text:` and SHA-256('migrate/text/1' ‖ salt ‖ content) in hexadecimal digits.
    token text not null check (token ~ '^text:[0-9a-f]{64}$'),
    salt bytea, content text, dropped_at timestamptz,
    primary key (stream, token),
    check ((salt is null) = (content is null) and (content is null) = (dropped_at is not null))
);
alter table migrate.text owner to migrate_owner;

-- A text is written once, and dropped at most.
create function migrate.refuse_text_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and new.stream = old.stream and new.token = old.token and new.content is null and new.salt is null then
        return new;
    end if;
    raise exception '% of % is refused: a text is dropped, and never changed', tg_op, tg_table_name using errcode = 'MG007';
end $$;
create trigger dropped_at_most before update or delete on migrate.text
    for each row execute function migrate.refuse_text_change();
create trigger append_only before truncate on migrate.text
    for each statement execute function migrate.refuse_change();

do $$
begin
    if not exists (select from pg_roles where rolname = 'migrate_redact') then create role migrate_redact nologin; end if;
exception when duplicate_object or unique_violation then null; -- another installation was faster
end $$;

-- Keeps a text of the stream's last commit, which has its token; nobody puts one beside a commit that does not.
--   MG011 the last commit has no such token
create function migrate.keep_text(p_stream text, p_token text, p_salt bytea, p_content text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (
        select from migrate.stream s join migrate.commit c on c.stream = s.stream and c.version = s.version
        where s.stream = p_stream and position(p_token in convert_from(c.body, 'UTF8')) > 0
    ) then
        raise exception 'the last commit of % has no text %', p_stream, p_token using errcode = 'MG011';
    end if;
    insert into migrate.text (stream, token, salt, content) values (p_stream, p_token, p_salt, p_content);
end $$;
alter function migrate.keep_text(text, text, bytea, text) owner to migrate_owner;
revoke all on function migrate.keep_text(text, text, bytea, text) from public;
grant execute on function migrate.keep_text(text, text, bytea, text) to migrate_append;

-- Drops the texts that the stream's last commit redacts, which has to be a person's; nothing else says which. Returns how many there were.
-- It cannot be undone, so it takes a role of its own, which neither workers nor routers need.
create function migrate.drop_redacted(p_stream text) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_count integer;
begin
    with redacted as (
        select jsonb_array_elements_text(e.value -> 'redacted' -> 'texts') as token
        from migrate.stream s join migrate.commit c on c.stream = s.stream and c.version = s.version
        cross join lateral jsonb_array_elements(convert_from(c.body, 'UTF8')::jsonb -> 'events') e
        where s.stream = p_stream and e.value ? 'redacted' and c.actor not like 'worker:%'
            and convert_from(c.body, 'UTF8')::jsonb -> 'command' -> 'redact' -> 'texts' = e.value -> 'redacted' -> 'texts'
    )
    update migrate.text t set salt = null, content = null, dropped_at = clock_timestamp()
    from redacted r where t.stream = p_stream and t.token = r.token and t.content is not null;
    get diagnostics v_count = row_count;
    return v_count;
end $$;
alter function migrate.drop_redacted(text) owner to migrate_owner;
revoke all on function migrate.drop_redacted(text) from public;
grant migrate_append to migrate_redact;
grant execute on function migrate.drop_redacted(text) to migrate_redact;
grant select on migrate.text to migrate_append, migrate_read;

-- A text with the tokens in it in people's words.
create function migrate.tell(p_stream text, p_text text) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    v_found record;
begin
    for v_found in
        select distinct m[1] as token, coalesce(t.content, '[redacted]') as content
        from regexp_matches(p_text, '(text:[0-9a-f]{64})', 'g') m
        join migrate.text t on t.stream = p_stream and t.token = m[1]
    loop
        p_text := replace(p_text, v_found.token, v_found.content);
    end loop;
    return p_text;
end $$;
grant execute on function migrate.tell(text, text) to migrate_append, migrate_read;

create or replace view migrate.rollback_history as
    select r.stream as migration, r.number, r.cause, migrate.tell(r.stream, r.reason) as reason, r.outcome,
        r.from_weight / 100.0 as from_percent, c.actor as decided_by,
        r.onset, r.detected_at, r.decided_at, r.acknowledged_at, r.confirmed_at,
        extract(epoch from r.decided_at - r.onset) as onset_to_decision_seconds,
        extract(epoch from r.acknowledged_at - r.decided_at) as decision_to_acknowledgement_seconds,
        extract(epoch from r.confirmed_at - r.decided_at) as decision_to_confirmation_seconds, r.is_overdue
    from migrate.rollback r left join migrate.commit c on c.stream = r.stream and c.version = r.revision;
