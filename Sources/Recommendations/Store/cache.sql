-- The cache's second tier: what it holds can be made anew, and need not outlive a crash. Installed again, it changes nothing.
create schema if not exists recommendations;

create unlogged table if not exists recommendations.cache_tag (tag text primary key, generation bigint not null);
create unlogged table if not exists recommendations.cache_entry (
    key text primary key,
    value bytea not null,
    tags text[] not null,
    generation bigint not null,
    at timestamptz not null default clock_timestamp()
);
create index if not exists cache_entry_at on recommendations.cache_entry (at);
