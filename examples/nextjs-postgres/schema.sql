set client_min_messages = warning;
create table if not exists notes (
    id bigint generated always as identity primary key,
    text text not null
);
insert into notes (text)
select 'the first note in ' || current_database()
where not exists (select from notes);
