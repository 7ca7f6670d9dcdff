// Add one job per line of standard input. `node fill.js`.

import readline from "node:readline";
import { Queue } from "bullmq";
import IORedis from "ioredis";

const BATCH = 500;
const MODES = {
  fast: { removeOnComplete: true },
  default: {},
  careful: { attempts: 5, backoff: { type: "fixed", delay: 1000 } },
};
const connection = new IORedis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const queue = new Queue("jobs", { connection, defaultJobOptions: MODES[process.env.BENCH_MODE ?? "fast"] });

let number = 0;
let batch = [];
for await (const form of readline.createInterface({ input: process.stdin })) {
  batch.push({ name: "handle", data: { number: number++, form } });
  if (batch.length === BATCH) {
    await queue.addBulk(batch);
    batch = [];
  }
}
await queue.addBulk(batch);
await queue.close();
await connection.quit();
