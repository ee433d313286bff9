// Orders live in PostgreSQL, the count of visits in Redis. Both may go away and come back.

import { createServer } from "node:http";
import pg from "pg";
import { createClient } from "redis";

// PGHOST, PGPORT, PGUSER and PGDATABASE say where.
const database = new pg.Pool({ max: 4, connectionTimeoutMillis: 2000 });
// Without a listener the loss of an idle connection would end this process.
database.on("error", (error) => console.log(`postgres: ${error.message}`));

const cache = createClient({
  url: process.env.REDIS_URL,
  disableOfflineQueue: true,
  socket: { reconnectStrategy: 200 },
});
cache.on("error", (error) => console.log(`redis: ${error.message || error.code}`));
await cache.connect();

const routes = {
  "GET /health": async () => {
    await Promise.all([database.query("select 1"), cache.ping()]);
    return "ok";
  },
  "GET /": async () => {
    const visits = await cache.incr("visits");
    const { rows } = await database.query("select count(*)::int as orders from orders");
    return { visits, orders: rows[0].orders };
  },
  "POST /orders": async (url) => {
    const item = url.searchParams.get("item") ?? "something";
    const { rows } = await database.query("insert into orders (item) values ($1) returning id", [
      item,
    ]);
    return { id: Number(rows[0].id), item };
  },
};

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://shop");
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
  cache.destroy();
  database.end();
});
