// A back end with the three diseases that a long life brings: it crashes, it leaks, it hangs.

import express from "express";

const app = express();
const leaked = [];

app.get("/health", (_, answer) => {
  answer.json({ pid: process.pid, uptime: process.uptime(), memory: process.memoryUsage.rss() });
});

app.get("/", (_, answer) => {
  answer.send("at your service\n");
});

// To watch what becomes of it. Not for the world: it listens on the loopback address alone.
app.post("/crash", (_, answer) => {
  answer.on("finish", () => {
    throw new Error("a bug");
  });
  answer.send("as you wish\n");
});

app.post("/leak/:mebibytes", (request, answer) => {
  // Filled, because memory that nobody has written to takes no room.
  for (let i = 0; i < Number(request.params.mebibytes); i++) leaked.push(Buffer.alloc(2 ** 20, 1));
  answer.send(`${leaked.length} MiB leaked\n`);
});

app.post("/hang", () => {
  for (;;);
});

app.post("/chatter/:lines", (request, answer) => {
  for (let i = 1; i <= Number(request.params.lines); i++) console.log(`line ${i} of many`);
  answer.send("said\n");
});

const port = Number(process.env.PORT);
const server = app.listen(port, "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`listening on http://127.0.0.1:${port}`);
});

process.on("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
});
