-- The tables of the recommendation services. Installed again, it changes nothing.
create schema if not exists recommendations;

-- A job: one user's résumé, and what has been made of it.
create table if not exists recommendations.job (
    id text primary key,
    owner text not null,
    resume jsonb not null,
    revision bigint not null default 1,
    version bigint not null default 1,
    improved jsonb,
    applied jsonb
);
alter table recommendations.job add column if not exists revision bigint not null default 1;
alter table recommendations.job add column if not exists version bigint not null default 1;
alter table recommendations.job add column if not exists applied jsonb;

create table if not exists recommendations.recommendation (
    job_id text references recommendations.job on delete cascade,
    id text,
    body jsonb not null,
    revision bigint not null default 1,
    primary key (job_id, id)
);
alter table recommendations.recommendation add column if not exists revision bigint not null default 1;

-- How good answers were, by the second.
create table if not exists recommendations.quality (
    implementation text not null,
    operation text not null,
    at timestamptz not null,
    answers bigint not null,
    good bigint not null,
    primary key (at, implementation, operation)
);
