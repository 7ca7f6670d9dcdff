// The worker. `node worker.js`.
//
// For speed: a large concurrency (https://docs.bullmq.io/guide/parallelism-and-concurrency), jobs removed when they are done
// (https://docs.bullmq.io/guide/queues/auto-removal-of-jobs), ioredis.
//
// Careful: a shorter time after which a dead worker's jobs are run again (https://docs.bullmq.io/guide/workers/stalled-jobs).

import { Worker } from "bullmq";
import IORedis from "ioredis";
import { run } from "./work.js";

const MODES = {
  fast: { concurrency: 100, removeOnComplete: { count: 0 } },
  default: {},
  careful: { stalledInterval: 5000, lockDuration: 5000 },
};
const connection = new IORedis(process.env.REDIS_URL, { maxRetriesPerRequest: null });

new Worker("jobs", (job) => run(job.data.number), {
  connection,
  ...MODES[process.env.BENCH_MODE ?? "fast"],
}).on("error", (error) => console.error(error));
