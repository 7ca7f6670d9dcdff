// Asks for the webhooks every second, and draws those that changed. All of their content is text, never markup.
"use strict";

const list = document.getElementById("webhooks");
const state = document.getElementById("state");
const empty = state.innerHTML;
const drawn = new Map();

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function table(params) {
  const made = element("table");
  for (const [name, value] of Object.entries(params)) {
    const row = made.insertRow();
    const head = element("th", name);
    head.scope = "row";
    row.append(head, element("td", value));
  }
  return made;
}

function sendAgain(webhook, button) {
  button.disabled = true;
  fetch(`again/${webhook.id}`, { method: "POST" }).then(refresh).finally(() => { button.disabled = false; });
}

function fill(details, webhook) {
  const open = details.open;
  const summary = element("summary");
  const took = webhook.took_ms === null ? "" : ` in ${webhook.took_ms} ms`;
  summary.append(
    element("time", new Date(webhook.at).toLocaleTimeString()),
    element("span", webhook.kind, "kind"),
    element("span", webhook.params.Body || webhook.target, "text"),
    element("span", webhook.state + took, webhook.state));
  details.replaceChildren(summary);
  if (webhook.error) details.append(element("p", webhook.error, "error"));
  if (webhook.answers.length) {
    details.append(element("h2", "Answers"));
    for (const answer of webhook.answers) details.append(element("pre", answer));
  }
  const button = element("button", "Send again");
  button.addEventListener("click", () => sendAgain(webhook, button));
  details.append(element("h2", `${webhook.method || "POST"} ${webhook.target}`), table(webhook.params), button);
  if (webhook.again) details.append(element("p", `sent again: ${webhook.again}`));
  const body = element("details");
  body.append(element("summary", "Body as it came"), element("pre", webhook.body));
  details.append(body);
  details.open = open;
}

function draw(webhooks) {
  if (!webhooks.length) { state.innerHTML = empty; return; }
  state.textContent = `The last ${webhooks.length}, the newest first.`;
  for (const webhook of [...webhooks].reverse()) {
    const text = JSON.stringify(webhook);
    let details = drawn.get(webhook.id);
    if (!details) {
      details = element("details");
      drawn.set(webhook.id, details);
      list.prepend(details);
    }
    if (details.dataset.text !== text) { details.dataset.text = text; fill(details, webhook); }
  }
  const kept = new Set(webhooks.map((webhook) => webhook.id));
  for (const [id, details] of drawn) if (!kept.has(id)) { details.remove(); drawn.delete(id); }
}

function refresh() {
  return fetch("webhooks").then((answer) => answer.json()).then(draw).catch(() => {
    state.textContent = "hookline dev does not answer any more. Is it running?";
  });
}

refresh();
setInterval(refresh, 1000);
