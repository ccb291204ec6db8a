-- A checkpoint says in a fourth line how many streams there are and the root of the tree over their last commits. Whether that is so is checked by
-- whoever replays the whole log, as its signature is. One without it is not kept any more: behind it the end of a stream could be left out again.
create or replace function migrate.keep_checkpoint(p_n bigint, p_root bytea, p_note text) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_sealer migrate.sealer;
    v_root bytea;
    v_log uuid;
    v_start text;
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
    v_start := format(E'migrate/%s\n%s\n%s\n', v_log, p_n, encode(p_root, 'base64'));
    if v_root is distinct from p_root or not starts_with(p_note, v_start)
        or substr(p_note, length(v_start) + 1) !~ '^streams [1-9][0-9]{0,17} [A-Za-z0-9+/]{43}=\n\n— migrate-checkpoint '
    then
        raise exception 'the checkpoint of % commits is not of this order', p_n using errcode = 'MG007';
    end if;
    insert into migrate.checkpoint (n, root, note) values (p_n, p_root, p_note) on conflict do nothing;
    return found;
end $$;
