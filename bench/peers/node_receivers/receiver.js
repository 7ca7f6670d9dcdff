// What both receivers do with a form: verify with Twilio's library, append to a stream.
//
// ioredis gathers the commands of one turn of the event loop into one pipeline (enableAutoPipelining,
// https://github.com/redis/ioredis#autopipelining).

import Redis from "ioredis";
import twilio from "twilio";

const redis = new Redis(process.env.REDIS_URL, { enableAutoPipelining: true });

export const TARGET = process.env.BENCH_TARGET;

/** Give whether the webhook verified; if so, it is in Redis. */
export async function accept(url, signature, form) {
  const verified = twilio.validateRequest(process.env.BENCH_TOKEN, signature ?? "", process.env.BENCH_PUBLIC_URL + url, form);
  if (verified) await redis.xadd("webhooks", "*", ...Object.entries(form).flat());
  return verified;
}
