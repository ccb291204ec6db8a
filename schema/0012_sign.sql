-- Who signs checkpoints has a role of his own: whoever may only append keeps none, which nobody knows the signature of, and at which every replay of the whole log would stop.
do $$
begin
    if not exists (select from pg_roles where rolname = 'migrate_sign') then create role migrate_sign nologin; end if;
exception when duplicate_object or unique_violation then null; -- another installation was faster
end $$;
grant migrate_append to migrate_sign;
revoke execute on function migrate.keep_checkpoint(bigint, bytea, text) from migrate_append;
grant execute on function migrate.keep_checkpoint(bigint, bytea, text) to migrate_sign;

-- Logins that append may sign already, and go on: take the role from those that have no key.
do $$
declare
    v_login name;
begin
    for v_login in
        select m.rolname from pg_auth_members a join pg_roles m on m.oid = a.member
        where a.roleid = 'migrate_append'::regrole and m.rolcanlogin and not pg_has_role(m.oid, 'migrate_sign', 'member')
    loop
        execute format('grant migrate_sign to %I', v_login);
    end loop;
end $$;
