-- What each router saw itself: the last window that it handed in, and of each service, in the plan's order, the requests sent to the candidate and all.
-- The log keeps what an environment's routers saw together.
alter table migrate.router add column window_k bigint, add column observed jsonb;
