-- Signed checkpoints of the tree over the order, as they were also written outside.
create table migrate.checkpoint (
    n bigint primary key, root bytea not null, note text not null, at timestamptz not null default clock_timestamp()
);
create trigger append_only before update or delete or truncate on migrate.checkpoint
    for each statement execute function migrate.refuse_change();
alter table migrate.checkpoint owner to migrate_owner;
grant select on migrate.checkpoint to migrate_append, migrate_read;
grant insert on migrate.checkpoint to migrate_append;
