// The page of switches. It speaks the same JSON API that tests use; everything shown goes through textContent.
const $ = (id) => document.getElementById(id);
const STATES = ["", "SCARequired", "webauthRequired", "additionalInformationNeeded", "decoupled", "validating",
  "actionNeeded", "passwordExpired", "wrongpass", "rateLimiting", "websiteUnavailable", "bug", "notSupported"];

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.map((child) => child ?? ""));
  return made;
};

const call = async (method, path, body) => {
  const answer = await fetch(`/sandbox${path}`, {
    method, headers: body ? { "content-type": "application/json" } : {}, body: body && JSON.stringify(body),
  });
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.description ?? answer.statusText);
  return data;
};

const say = (text) => { $("status").textContent = text; };
const act = (text, work) => async (event) => {
  event?.preventDefault();
  try { await work(event); say(text); } catch (error) { say(error.message); }
  await refresh(true);
};
const button = (label, name, work) => element("button",
  { type: "button", class: "secondary", "aria-label": name, onclick: act(`${name}: done`, work) }, label);

// A part that is being used is not drawn anew under the hand that uses it.
const draw = (id, children) => {
  const place = $(id);
  const key = JSON.stringify(children.key);
  const active = place.contains(document.activeElement) ? document.activeElement : null;
  if (place.dataset.key === key || active?.matches("select, input")) return;
  const stops = () => [...place.querySelectorAll("button, select, input")];
  const focused = active?.getAttribute("aria-label");
  const position = stops().indexOf(active);
  place.dataset.key = key;
  place.replaceChildren(...children.nodes);
  // A button that became its opposite, or went with its line, leaves the focus to what stands in its place.
  if (!focused) return;
  const same = stops().find((node) => node.getAttribute("aria-label") === focused);
  (same ?? stops()[position] ?? stops().at(-1))?.focus();
};

const accountState = (item) => {
  if (item.deleted) return "gone from the bank ";
  return item.enabled ? "synchronised " : "not synchronised ";
};

const account = (item) => element("li", { class: item.enabled ? "" : "off" },
  `${item.name} (${item.type}, ${item.currency ?? "no currency"}) `, accountState(item),
  button(item.enabled ? "Disable" : "Enable", `${item.enabled ? "Disable" : "Enable"} account ${item.id}`,
    () => call("PATCH", `/accounts/${item.id}`, { disabled: item.enabled })), " ",
  button(item.deleted ? "Bring back" : "Close at the bank",
    `${item.deleted ? "Bring back" : "Close"} account ${item.id}`,
    () => call("PATCH", `/accounts/${item.id}`, { deleted: !item.deleted })));

const stateChoice = (item) => {
  const change = (state) => act(`State of connection ${item.id}: done`,
    () => call("PATCH", `/connections/${item.id}`, { state: state || null }))();
  return element("select",
    { "aria-label": `State of connection ${item.id}`, onchange: (event) => change(event.target.value) },
    ...STATES.map((state) =>
      element("option", { value: state, selected: (item.state ?? "") === state }, state || "fine")));
};

const connection = (item) => element("div", { class: "card" },
  element("h3", {}, `${item.name} #${item.id}`),
  element("p", { class: item.state ? "warning" : "off" }, item.state ?? "fine", item.locked ? ", locked" : ""),
  element("ul", {}, ...item.accounts.map(account)),
  element("div", { class: "buttons" },
    button("Synchronise", `Synchronise connection ${item.id}`, () => call("POST", `/connections/${item.id}/sync`)),
    button("Renumber", `Renumber connection ${item.id}`, () => call("POST", `/connections/${item.id}/repair`)),
    button(item.locked ? "Unlock" : "Lock", `${item.locked ? "Unlock" : "Lock"} connection ${item.id}`,
      () => call("PATCH", `/connections/${item.id}`, { locked: !item.locked })),
    button("Consent ends in 6 days", `Consent of connection ${item.id} ends in 6 days`,
      () => call("PATCH", `/connections/${item.id}`, { consent_expires_in_days: 6 })),
    stateChoice(item),
    button("Delete", `Delete connection ${item.id}`, () => call("DELETE", `/connections/${item.id}`))));

const person = (user) => element("div", { class: "card" },
  element("h3", {}, `User ${user.id}${user.permanent ? "" : " (temporary)"}`),
  ...user.connections.map(connection),
  element("div", { class: "buttons" },
    button("Revoke tokens", `Revoke tokens of user ${user.id}`,
      () => call("POST", `/users/${user.id}/revoke-tokens`))));

const users = (list) =>
  ({ key: list, nodes: list.length ? list.map(person) : [element("p", {}, "Nobody is here yet.")] });

const table = (heads, rows, key) => ({ key, nodes: [
  element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
  element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))))) ] });

const time = (at) => at.slice(11, 19);

const faultsTable = (faults) => table(["Where", "Match", "What", "Times left", "Struck", "Action"],
  faults.map((fault) => [
    fault.target, fault.match || "everything", fault.kind === "status" ? `status ${fault.status}` : fault.kind,
    fault.times === null ? "for ever" : String(fault.times - fault.hits), String(fault.hits),
    button("Switch off", `Switch off fault ${fault.id}`, () => call("DELETE", `/faults/${fault.id}`)),
  ]), faults);

const banksTable = (banks) => table(["Institution", "Country", "Shares", "Keeps to itself", "State", "Action"],
  banks.map((bank) => [
    bank.name, bank.country, bank.accounts.join(", "), bank.not_shared.join(", "),
    [bank.outage ?? "fine", bank.hidden && "hidden", bank.restricted && "takes no new connection"]
      .filter(Boolean).join(", "),
    button(bank.restricted ? "Open" : "Close",
      `${bank.restricted ? "Open" : "Close"} ${bank.name} to new connections`,
      () => call("PATCH", `/connectors/${bank.slug}`, { restricted: !bank.restricted })),
  ]), banks);

const webhooksTable = (deliveries) => table(["At", "Event", "User", "Try", "Outcome", "ms", "Action"],
  deliveries.map((line) => [
    time(line.at), line.event, String(line.user_id), String(line.number),
    `${line.outcome} ${line.status ?? ""}`, String(line.milliseconds),
    button("Send again", `Send delivery ${line.id} again`, () => call("POST", `/webhooks/${line.id}/redeliver`)),
  ]), deliveries.map((line) => line.id));

const requestsTable = (requests) => table(["At", "Request", "User", "Status", "ms", "Fault"],
  requests.map((line) => [
    time(line.at), `${line.method} ${line.path}${line.query ? `?${line.query}` : ""}`.slice(0, 160),
    String(line.user_id ?? ""), String(line.status ?? ""), String(line.milliseconds), String(line.fault ?? ""),
  ]), requests.map((line) => line.id));

const setting = (item) => {
  const change = (value) => act(`${item.name}: changed`, () => call("PATCH", "/settings", { [item.name]: value }))();
  const id = `s-${item.name}`;
  let control;
  if (item.choices.length || typeof item.value === "boolean") {
    const choices = item.choices.length ? item.choices : ["true", "false"];
    control = element("select", { id, onchange: (event) => { event.target.blur(); change(event.target.value); } },
      ...choices.map((choice) => element("option", { selected: String(item.value) === choice }, choice)));
  } else {
    control = element("input", { id, value: String(item.value), autocomplete: "off",
      onchange: (event) => { const { value } = event.target; event.target.blur(); change(value); } });
  }
  return element("div", { class: String(item.value) === String(item.default) ? "" : "changed" },
    element("label", { for: id }, item.name), control, element("p", {}, item.doc));
};

const fill = (select, options) => {
  const now = JSON.stringify(options);
  if (select.dataset.key === now) return;
  select.dataset.key = now;
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, label]) => element("option", { value }, label)));
  if (options.some(([value]) => String(value) === chosen)) select.value = chosen;
};

const SHOWN = ["/users?limit=10", "/faults", "/webhooks?limit=60", "/requests?limit=60", "/settings", "/clock",
  "/connectors"];
let busy = false;
const refresh = async (soon) => {
  if (busy && !soon) return;
  busy = true;
  try {
    const [people, faults, hooks, requests, settings, clock, banks] =
      await Promise.all(SHOWN.map((path) => call("GET", path)));
    $("clock").textContent = `Its clock: ${clock.now.slice(0, 19).replace("T", " ")} UTC.`;
    draw("users", users(people.users));
    $("others").textContent =
      people.total > people.users.length ? `The newest ${people.users.length} of ${people.total}.` : "";
    fill(document.forms["new-connection"].elements.id_user, people.users.map((user) => [user.id, `User ${user.id}`]));
    draw("faults", faultsTable(faults.faults));
    draw("banks", banksTable(banks.connectors));
    $("waiting").textContent = `${hooks.waiting} waiting, ${hooks.lost} lost on purpose.`;
    draw("webhooks", webhooksTable(hooks.webhooks));
    draw("requests", requestsTable(requests.requests));
    const open = settings.described.filter((item) => !item.fixed);
    draw("settings", { key: open, nodes: open.map(setting) });
  } catch (error) {
    say(error.message);
  } finally {
    busy = false;
  }
};

const values = (form) => Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
const numbers = (found, ...names) => {
  for (const name of names) if (found[name] !== undefined) found[name] = Number(found[name]);
  return found;
};

document.forms["new-connection"].addEventListener("submit", act("Connected", (event) =>
  call("POST", "/connections", numbers(values(event.target), "id_user"))));
document.forms.outage.addEventListener("submit", act("The institution has changed", (event) => {
  const { connector, outage } = Object.fromEntries(new FormData(event.target));
  return call("PATCH", `/connectors/${connector}`, { outage: outage || null });
}));
document.forms["new-fault"].addEventListener("submit", act("The fault is on", (event) =>
  call("POST", "/faults", numbers(values(event.target), "status", "retry_after", "seconds", "times", "probability"))));
document.forms["move-clock"].addEventListener("submit", act("The clock has moved", (event) =>
  call("POST", "/clock", numbers(values(event.target), "days", "seconds"))));
$("clear-faults").addEventListener("click", act("No fault is on", () => call("DELETE", "/faults")));
$("reset-clock").addEventListener("click", act("The clock is right again", () =>
  call("POST", "/clock", { reset: true })));
$("reset").addEventListener("click", act("Everything is forgotten", () => call("POST", "/reset")));
$("flush").addEventListener("click", act("Sent", () => call("POST", "/webhooks/flush")));

const start = async () => {
  const [{ connectors, outages }, { personas }] =
    await Promise.all([call("GET", "/connectors"), call("GET", "/personas")]);
  fill(document.forms["new-connection"].elements.connector, connectors.map((item) => [item.slug, item.name]));
  fill(document.forms.outage.elements.connector, connectors.map((item) => [item.slug, item.name]));
  fill(document.forms.outage.elements.outage, [["", "nothing"], ...outages.map((state) => [state, state])]);
  fill(document.forms["new-connection"].elements.persona,
    [["", "usual"], ...personas.map((item) => [item.id, item.id])]);
  await refresh();
  setInterval(() => { if (!document.hidden) refresh(); }, 2000);
};
start().catch((error) => say(error.message));
