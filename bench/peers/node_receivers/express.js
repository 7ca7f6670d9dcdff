// Express (https://expressjs.com/en/advanced/best-practice-performance.html). `NODE_ENV=production node express.js PORT`.

import express from "express";
import { accept, TARGET } from "./receiver.js";

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.post(TARGET, express.urlencoded({ extended: false }), async (request, response) => {
  const verified = await accept(request.originalUrl, request.get("x-twilio-signature"), { ...request.body });
  if (!verified) return response.sendStatus(403);
  return response.type("text/xml").send("<Response/>");
});
app.listen(Number(process.argv[2]), "127.0.0.1");
