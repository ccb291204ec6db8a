-- Who signs checkpoints keeps them by this alone: one of where the order stands now, in the words that a checkpoint has. Its signature is
-- checked by whoever goes by it. False where the order has gone on, or has one of this size.
create function migrate.keep_checkpoint(p_n bigint, p_root bytea, p_note text) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_sealer migrate.sealer;
    v_root bytea;
    v_log uuid;
begin
    select * into strict v_sealer from migrate.sealer;
    if v_sealer.n <> p_n or p_n = 0 then
        return false;
    end if;
    for i in reverse cardinality(v_sealer.frontier)..1 loop
        v_root := case when v_root is null then v_sealer.frontier[i]
            else sha256('\x01'::bytea || v_sealer.frontier[i] || v_root) end;
    end loop;
    select log_id into strict v_log from migrate.log order by number desc limit 1;
    if v_root is distinct from p_root or not starts_with(
        p_note, format(E'migrate/%s\n%s\n%s\n\n— migrate-checkpoint ', v_log, p_n, encode(p_root, 'base64'))
    ) then
        raise exception 'the checkpoint of % commits is not of this order', p_n using errcode = 'MG007';
    end if;
    insert into migrate.checkpoint (n, root, note) values (p_n, p_root, p_note) on conflict do nothing;
    return found;
end $$;
alter function migrate.keep_checkpoint(bigint, bytea, text) owner to migrate_owner;
revoke all on function migrate.keep_checkpoint(bigint, bytea, text) from public;
grant execute on function migrate.keep_checkpoint(bigint, bytea, text) to migrate_append;
revoke insert on migrate.checkpoint from migrate_append;
