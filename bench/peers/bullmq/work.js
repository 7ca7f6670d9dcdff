// What a job does: the same as bench/peers/work.py, in JavaScript.

import fs from "node:fs";
import path from "node:path";

const ONE_IN = 10;
const LEAST_MS = 10;
const SPREAD_MS = 41;
const TALLY_EVERY_MS = 5;

const record = process.env.BENCH_RECORD ? fs.openSync(process.env.BENCH_RECORD, "a") : null;
const refused = record === null ? null : path.join(path.dirname(process.env.BENCH_RECORD), "refused");
let done = 0n;

if (record === null) keepTally();
else fs.mkdirSync(refused, { recursive: true });

/** Write the count into this process' file, whenever it has changed. */
function keepTally() {
  const file = fs.openSync(path.join(process.env.BENCH_TALLY, String(process.pid)), "w");
  const bytes = Buffer.alloc(8);
  let written = -1n;
  setInterval(() => {
    if (done === written) return;
    written = done;
    bytes.writeBigInt64LE(done);
    fs.writeSync(file, bytes, 0, 8, 0);
  }, TALLY_EVERY_MS);
}

/** Do job `number`. */
export async function run(number) {
  if (record === null) {
    done += 1n;
    return;
  }
  note("begun", number);
  if (process.env.BENCH_RAISING && number % ONE_IN === 0 && isFirst(number)) throw new Error(`job ${number} raises once`);
  await new Promise((resolve) => setTimeout(resolve, LEAST_MS + (number % SPREAD_MS)));
  note("done", number);
}

function note(what, number) {
  fs.writeSync(record, `${what} ${number} ${(Date.now() / 1000).toFixed(6)}\n`);
}

function isFirst(number) {
  try {
    fs.closeSync(fs.openSync(path.join(refused, String(number)), "wx"));
    return true;
  } catch {
    return false;
  }
}
