// An Express app that answers Twilio, in the shape of Twilio's tutorials: node app.js PORT.
const express = require("express");
const session = require("cookie-session");
const twilio = require("twilio");

const app = express();
app.use(express.urlencoded({ extended: false }));
app.use(session({ secret: "a secret of the app" }));
app.use(twilio.webhook({ validate: true, protocol: "http" }, process.env.TWILIO_AUTH_TOKEN));

app.post("/sms", (request, response) => {
  request.session.count = (request.session.count || 0) + 1;
  const twiml = new twilio.twiml.MessagingResponse();
  twiml.message(`${request.session.count}: ${request.body.Body}`);
  response.type("text/xml").send(twiml.toString());
});

app.post("/voice", (request, response) => {
  const twiml = new twilio.twiml.VoiceResponse();
  twiml.gather({ numDigits: 1, action: "menu" }).say("press a key");
  response.type("text/xml").send(twiml.toString());
});

app.post("/menu", (request, response) => {
  const twiml = new twilio.twiml.VoiceResponse();
  twiml.say(`you pressed ${request.body.Digits}`);
  response.type("text/xml").send(twiml.toString());
});

app.listen(Number(process.argv[2]), "127.0.0.1");
