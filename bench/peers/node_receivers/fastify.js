// Fastify. `NODE_ENV=production node fastify.js PORT`.

import formbody from "@fastify/formbody";
import Fastify from "fastify";
import { accept, TARGET } from "./receiver.js";

const app = Fastify();
app.register(formbody);
app.post(TARGET, async (request, reply) => {
  const verified = await accept(request.url, request.headers["x-twilio-signature"], request.body);
  if (!verified) return reply.code(403).send();
  return reply.type("text/xml").send("<Response/>");
});
await app.listen({ host: "127.0.0.1", port: Number(process.argv[2]) });
