-- Who signs checkpoints has a role of his own: whoever may only append keeps none, which nobody knows the signature of, and at which every replay of the whole log would stop.
-- Logins that append when the cluster gets the role may sign already, and go on: take it from those that have no key. It is not given back by another installation.
do $$
declare
    v_login name;
begin
    if exists (select from pg_roles where rolname = 'migrate_sign') then return; end if;
    create role migrate_sign nologin;
    for v_login in
        select rolname from pg_roles
        where rolcanlogin and not rolsuper and pg_has_role(oid, 'migrate_append', 'member')
    loop
        begin
            execute format('grant migrate_sign to %I', v_login);
        exception when undefined_object then null; -- it was dropped just now
        end;
    end loop;
exception when duplicate_object or unique_violation then null; -- another installation was faster
end $$;
grant migrate_append to migrate_sign;
revoke execute on function migrate.keep_checkpoint(bigint, bytea, text) from migrate_append;
grant execute on function migrate.keep_checkpoint(bigint, bytea, text) to migrate_sign;
