// The users of the database that DATABASE names. The same code serves development and production.

import { createServer } from "node:http";
import mysql from "mysql2/promise";

const version = 1;
const database = mysql.createPool({
  host: "127.0.0.1",
  port: Number(process.env.MYSQL_TCP_PORT),
  user: "root",
  database: process.env.DATABASE,
  connectionLimit: 4,
});

const routes = {
  "GET /health": async () => {
    await database.query("select 1");
    return { version, database: process.env.DATABASE };
  },
  "GET /users": async () => (await database.query("select * from users order by id"))[0],
  "POST /users": async (url) => {
    const name = url.searchParams.get("name") ?? "somebody";
    const [{ insertId }] = await database.query("insert into users (name) values (?)", [name]);
    return { id: insertId, name };
  },
};

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://app");
  const route = routes[`${request.method} ${url.pathname}`];
  let [status, body] = [404, { error: "nothing here" }];
  if (route) {
    try {
      [status, body] = [200, await route(url)];
    } catch (error) {
      [status, body] = [503, { error: error.message || error.code }];
    }
  }
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(`${JSON.stringify(body)}\n`);
});

const port = Number(process.env.PORT);
server.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));

process.on("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
  database.end();
});
