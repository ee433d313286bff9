import pg from "pg";

// One pool for the life of the process: this is why another database needs a restart. Next.js
// loads this module anew after each edit, so the pool is kept where that does not reach.
export const database = (globalThis.database ??= connect());

function connect() {
  const pool = new pg.Pool({
    connectionString: process.env.DATABASE_URL,
    max: 4,
    connectionTimeoutMillis: 2000,
  });
  // Without a listener the loss of an idle connection would end this process.
  pool.on("error", (error) => console.log(`postgres: ${error.message}`));
  return pool;
}
