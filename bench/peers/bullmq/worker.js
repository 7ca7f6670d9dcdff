// The worker. `node worker.js`.
//
// For speed: the largest concurrency that its pages call standard (https://docs.bullmq.io/guide/parallelism-and-concurrency),
// which was faster than 50 and 100, jobs removed when they are done
// (https://docs.bullmq.io/guide/queues/auto-removal-of-jobs), ioredis, whose auto-pipelining made it slower.
//
// Careful: a shorter time after which a dead worker's jobs are run again (https://docs.bullmq.io/guide/workers/stalled-jobs).

import { Worker } from "bullmq";
import IORedis from "ioredis";
import { run } from "./work.js";

const MODES = {
  fast: { concurrency: 300, removeOnComplete: { count: 0 } },
  default: {},
  careful: { stalledInterval: 5000, lockDuration: 5000 },
};
const connection = new IORedis(process.env.REDIS_URL, { maxRetriesPerRequest: null });

new Worker("jobs", (job) => run(job.data.number), {
  connection,
  ...MODES[process.env.BENCH_MODE ?? "fast"],
}).on("error", (error) => console.error(error));
