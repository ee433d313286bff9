create table if not exists users (
    id int unsigned not null auto_increment primary key,
    name varchar(80) not null
);
insert into users (name) select 'Ada' from dual where not exists (select 1 from users);
