-- Every statement may run again: the task runs with each start of the API.
set client_min_messages = warning;

create table if not exists orders (
    id bigint generated always as identity primary key,
    item text not null,
    at timestamptz not null default now()
);
