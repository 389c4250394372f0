// A chat in one page. Messages come from the API; what others do comes from the stream of events.
//
// `Api` and `Listener` know nothing of this page: copy them into yours. What people wrote reaches
// the page by textContent alone, never as HTML.
"use strict";

const APPLICATIONS = "/api/v1/applications";
const ANSWER_MS = 15000;
const TOKEN_SECONDS = 600;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30000;
const REMEMBERED_IDS = 1000;
const TYPES = [
  "application.updated",
  "chat.created",
  "chat.updated",
  "message.created",
  "message.updated",
  "message.erased",
];

// A request without success. `status` is 0 if there was no answer.
class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// The requests of one application; without a token, those of the list of applications.
class Api {
  #key;
  #wanted = "";
  #idempotencyKey = "";

  // The key stays in this object. It is empty where the service requires none.
  constructor(token = "", key = "") {
    this.token = token;
    this.address = token ? `${APPLICATIONS}/${token}` : APPLICATIONS;
    this.#key = key;
  }

  // The item and its ETag. Rejects with a Problem.
  async request(method, path, { fields, headers } = {}) {
    const sent = { ...headers };
    if (this.#key) sent.Authorization = `Bearer ${this.#key}`;
    if (fields) sent["Content-Type"] = "application/json";
    const options = {
      method,
      headers: sent,
      body: fields && JSON.stringify(fields),
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(ANSWER_MS),
    };
    let answer, data;
    try {
      answer = await fetch(this.address + path, options);
      data = answer.status === 204 ? null : await answer.json();
    } catch {
      throw new Problem(answer?.status ?? 0, "The service did not answer. Try again.");
    }
    if (!answer.ok) {
      const reasons = (data.errors ?? []).map((error) => error.message);
      throw new Problem(answer.status, reasons.join(" ") || data.detail);
    }
    return { data, etag: answer.headers.get("ETag") };
  }

  // A new item. If there was no answer it may exist; the same again has the same Idempotency-Key,
  // so there will be one.
  async create(path, fields) {
    const wanted = JSON.stringify([path, fields]);
    if (wanted !== this.#wanted) {
      this.#wanted = wanted;
      const random = crypto.getRandomValues(new Uint8Array(16));
      this.#idempotencyKey = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
    }
    const headers = { "Idempotency-Key": this.#idempotencyKey };
    const { data } = await this.request("POST", path, { fields, headers });
    this.#wanted = "";
    return data;
  }
}

// Hears the events of an application: each one once, in order, and none is missed.
//
// onEvent(type, entry)  an event
// onBegin()             the stream began without a place to resume at: load the lists now
// onState(state, why)   "live", "connecting", or "ended" if access was refused
class Listener {
  #api;
  #calls;
  #source = null;
  #timer = 0;
  #attempt = 0;
  #pause = FIRST_PAUSE_MS;
  #lastId = "";
  #seen = new Set();

  constructor(api, calls) {
    this.#api = api;
    this.#calls = calls;
  }

  // Connects, or connects again, behind the last event.
  async open() {
    this.close();
    const attempt = this.#attempt;
    this.#calls.onState("connecting");
    try {
      const fields = { seconds: TOKEN_SECONDS };
      const { data } = await this.#api.request("POST", "/stream-tokens", { fields });
      if (attempt === this.#attempt) this.#listen(data.token);
    } catch (problem) {
      if (attempt === this.#attempt) this.#retry(problem);
    }
  }

  close() {
    this.#attempt += 1; // an open() that still waits for its token does nothing
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  #listen(token) {
    const parameters = new URLSearchParams({ access_token: token });
    if (this.#lastId) parameters.set("after", this.#lastId);
    const source = new EventSource(`${this.#api.address}/stream?${parameters}`);
    this.#source = source;
    // A token is replaced before it expires.
    this.#timer = setTimeout(() => this.open(), TOKEN_SECONDS * 800);
    source.onopen = () => {
      this.#pause = FIRST_PAUSE_MS;
      this.#calls.onState("live");
      if (!this.#lastId) this.#calls.onBegin();
    };
    // The browser connects again by itself and sends the last id, unless it was refused.
    source.onerror = () => {
      this.#calls.onState("connecting");
      if (source.readyState === EventSource.CLOSED) this.#retry(new Problem(0, ""));
    };
    for (const type of TYPES) source.addEventListener(type, (event) => this.#receive(event));
    // The log no longer has all events since the last one.
    source.addEventListener("reset", (event) => {
      this.#lastId = event.lastEventId;
      this.#calls.onBegin();
    });
  }

  #receive(event) {
    this.#lastId = event.lastEventId;
    if (this.#seen.has(this.#lastId)) return;
    this.#seen.add(this.#lastId);
    if (this.#seen.size > REMEMBERED_IDS) this.#seen.delete(this.#seen.values().next().value);
    this.#calls.onEvent(event.type, JSON.parse(event.data));
  }

  #retry(problem) {
    if (!(problem instanceof Problem)) throw problem;
    this.close();
    if ([401, 403, 404].includes(problem.status)) {
      this.#calls.onState("ended", problem.message);
      return;
    }
    this.#timer = setTimeout(() => this.open(), this.#pause * (0.5 + Math.random()));
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE_MS);
  }
}

// --- The page -----------------------------------------------------------------------------------

const PAGE_SIZE = 50;
const FOUND_SIZE = 20;
const LISTED = 200;
const MOST_SHOWN = 500;
const ADDRESS = /^#([0-9a-f]{24})(?:\/([1-9][0-9]{0,14}))?$/;

const at = (id) => document.getElementById(id);

const service = new Api();
// The open application and chat, and the messages that are shown, with their elements, by number.
let api = null;
let listener = null;
let chat = 0;
let shown = new Map();

// Runs an action, and shows its Problem to the reader.
async function attempt(action, problem = at("problem")) {
  problem.hidden = true;
  try {
    await action();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    problem.textContent = error.message;
    problem.hidden = false;
  }
}

// Runs the action on each submit, one at a time.
function onSubmit(id, action, problem) {
  let isBusy = false;
  at(id)?.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isBusy) return;
    isBusy = true;
    await attempt(action, problem).finally(() => (isBusy = false));
  });
}

// --- Applications and chats

async function openApplication(token, key = "", number = 0) {
  const opened = new Api(token, key);
  const { data } = await opened.request("GET", "");
  listener?.close();
  api = opened;
  if (at("application")) putOption("application", token, data.name).selected = true;
  at("chat").replaceChildren(new Option("Choose …", ""));
  at("chat-form").hidden = false;
  listener = new Listener(api, { onEvent: receive, onBegin: () => attempt(load), onState: showState });
  listener.open();
  await openChat(number); // also if no stream can be opened
}

async function openChat(number) {
  chat = number;
  shown = new Map();
  at("messages").replaceChildren();
  at("conversation").hidden = !chat;
  at("earlier").hidden = true;
  closeSearch();
  const place = `#${api.token}${chat ? `/${chat}` : ""}`;
  history.replaceState(null, "", place);
  at("link").href = place;
  await load();
}

async function load() {
  const known = Math.max(0, ...shown.keys()); // the stream has more later, from now on
  await loadChats();
  if (chat) await loadMessages({ known });
}

async function loadApplications() {
  const { data } = await service.request("GET", `?limit=${LISTED}`);
  for (const one of data.results.reverse()) putOption("application", one.token, one.name);
}

async function loadChats() {
  const from = api;
  const lists = [from.request("GET", `/chats?limit=${LISTED}&order=desc`)];
  if (chat) lists.push(from.request("GET", `/chats/${chat}`)); // it may be an older one
  const [list, own] = await Promise.all(lists);
  if (from !== api) return;
  for (const one of [...list.data.results, ...(own ? [own.data] : [])]) putChat(one);
}

function putChat(one) {
  const text = `${one.chat_number}: ${one.name}`;
  const option = putOption("chat", String(one.chat_number), text);
  if (one.chat_number !== chat) return;
  option.selected = true;
  at("title").textContent = one.name;
}

// Adds an option behind the first one, or changes its text. Higher numbers come first.
function putOption(id, value, text) {
  const options = [...at(id).options];
  const found = options.find((option) => option.value === value);
  if (found) {
    found.textContent = text;
    return found;
  }
  const added = new Option(text, value);
  const next = options.slice(1).find((option) => id !== "chat" || Number(option.value) < Number(value));
  at(id).add(added, next ?? null);
  return added;
}

// --- Messages

const pathOf = (number) => `/chats/${chat}/messages/${number}`;
const lowestShown = () => Math.min(...shown.keys());
// Whether a message belongs to those that are shown: older ones come on request.
const isInView = (number) => at("earlier").hidden || number >= lowestShown();

// The messages before a number, or else the latest; all those up to `known` were shown.
async function loadMessages({ before = 0, known = 0 }) {
  const [from, number] = [api, chat];
  at("log").setAttribute("aria-busy", "true");
  const bound = before ? `&before=${before}` : "";
  const limit = known ? LISTED : PAGE_SIZE;
  const path = `/chats/${chat}/messages?limit=${limit}&order=desc${bound}`;
  const { data } = await from.request("GET", path).finally(() => at("log").removeAttribute("aria-busy"));
  if (from !== api || number !== chat) return;
  const lowest = data.results.at(-1)?.message_number ?? 0;
  const isNewPage = !before && lowest > known + 1;
  // Some may be missing between older messages that are shown and this page.
  if (isNewPage) for (const old of [...shown.keys()]) if (old < lowest) take(old);
  if (before || isNewPage) at("earlier").hidden = !data.next;
  for (const message of data.results) {
    if (before || isNewPage || isInView(message.message_number)) put(message);
  }
  if (isNewPage) scrollToEnd();
}

function take(number) {
  shown.get(number).item.remove();
  shown.delete(number);
}

// Shows a message in its place, unless a later state of it is shown.
function put(message) {
  const number = message.message_number;
  if (message.application_token !== api.token || message.chat_number !== chat) return;
  const before = shown.get(number);
  if (before && before.message.updated_at > message.updated_at) return;
  const item = before?.item ?? newItem(number);
  shown.set(number, { message, item });
  fill(item, message);
  if (before) return;
  const isAtEnd = isScrolledToEnd();
  const items = [...at("messages").children];
  const next = items.findLast((other) => Number(other.dataset.number) < number)?.nextSibling;
  at("messages").insertBefore(item, next === undefined ? (items[0] ?? null) : next);
  if (isAtEnd && !next) scrollToEnd();
  if (isAtEnd && shown.size > MOST_SHOWN) {
    take(Number(items[0].dataset.number));
    at("earlier").hidden = false;
  }
}

function newItem(number) {
  const item = at("message").content.firstElementChild.cloneNode(true);
  item.dataset.number = number;
  for (const [name, action] of [["edit", edit], ["erase", erase]]) {
    const button = item.querySelector(`.${name}`);
    button.setAttribute("aria-label", `${button.textContent} message ${number}`);
    button.addEventListener("click", () => attempt(() => action(number)));
  }
  return item;
}

function fill(item, message) {
  const set = (name, text) => (item.querySelector(name).textContent = text);
  const isEdited = message.updated_at !== message.created_at;
  set(".number", message.message_number);
  set(".sender", message.sender ?? "");
  set("time", new Date(message.created_at).toLocaleString());
  set(".state", message.erased_at ? "erased" : isEdited ? "edited" : "");
  set(".text", message.body ?? "");
  item.querySelector("time").dateTime = message.created_at;
  item.querySelector(".actions").hidden = Boolean(message.erased_at);
}

function isScrolledToEnd() {
  const log = at("log");
  return log.scrollHeight - log.scrollTop - log.clientHeight < 40;
}

function scrollToEnd() {
  at("log").scrollTop = at("log").scrollHeight;
}

async function write() {
  const [body, sender] = [at("body").value, at("sender").value.trim()];
  const fields = sender ? { body, sender } : { body };
  const message = await api.create(`/chats/${chat}/messages`, fields);
  if (at("body").value === body) at("body").value = "";
  at("body").focus();
  put(message);
  scrollToEnd();
}

// --- Dialogs. A version that somebody else has changed meanwhile is not overwritten.

let chosen = null;

async function choose(number) {
  const path = pathOf(number);
  const { data, etag } = await api.request("GET", path);
  put(data);
  chosen = { path, headers: { "If-Match": etag } };
  return data;
}

async function edit(number) {
  const message = await choose(number);
  if (message.erased_at) return;
  at("edit-body").value = message.body;
  at("edit-problem").hidden = true;
  at("edit-dialog").showModal();
}

async function save() {
  const fields = { body: at("edit-body").value };
  const { data } = await api.request("PATCH", chosen.path, { fields, headers: chosen.headers });
  put(data);
  at("edit-dialog").close();
}

async function erase(number) {
  const message = await choose(number);
  if (message.erased_at) return;
  at("erase-problem").hidden = true;
  at("erase-dialog").showModal();
}

async function eraseChosen() {
  await api.request("DELETE", chosen.path, { headers: chosen.headers });
  at("erase-dialog").close();
  const { data } = await api.request("GET", chosen.path);
  put(data);
  at("body").focus(); // the button is gone
}

// --- Search

// Counts searches and closings: an answer to an earlier search is not shown.
let searches = 0;

async function search() {
  const own = ++searches;
  const query = new URLSearchParams({ query: at("query").value, limit: FOUND_SIZE });
  const { data } = await api.request("GET", `/chats/${chat}/messages/search?${query}`);
  if (own !== searches) return;
  const count = data.results.length;
  const found = count === 1 ? "1 message contains" : `${count || "No"} messages contain`;
  at("count").textContent = data.next ? `The newest ${count} messages with this text:` : `${found} this text.`;
  at("hits").replaceChildren(...data.results.map(hitItem));
  at("found").hidden = false;
}

function hitItem(hit) {
  const item = at("message").content.firstElementChild.cloneNode(true);
  fill(item, hit);
  item.querySelector(".actions").remove();
  // The highlight is HTML with nothing but <mark>. Its parts are taken as text all the same.
  const parsed = new DOMParser().parseFromString(hit.highlight, "text/html");
  const parts = [...parsed.body.childNodes].map((node) => {
    const part = document.createElement(node.nodeName === "MARK" ? "mark" : "span");
    part.textContent = node.textContent;
    return part;
  });
  item.querySelector(".text").replaceChildren(...parts);
  return item;
}

function closeSearch() {
  searches += 1;
  at("found").hidden = true;
  at("hits").replaceChildren();
}

// --- The stream

function receive(type, entry) {
  if (type === "application.updated" && at("application")) {
    putOption("application", entry.application.token, entry.application.name);
  } else if (entry.chat) {
    putChat(entry.chat);
  } else if (entry.message && isInView(entry.message.message_number)) {
    put(entry.message);
  }
}

function showState(state, why) {
  const texts = { live: "Live", connecting: "Connecting …", ended: `Not live: ${why}` };
  at("stream").textContent = texts[state];
  at("stream").classList.toggle("is-live", state === "live");
}

// --- What the reader does

function openAddress() {
  const [, token, number] = ADDRESS.exec(location.hash) ?? [];
  if (!token || (token === api?.token && Number(number ?? 0) === chat)) return;
  if (at("key-form")) at("token").value = token;
  else attempt(() => openApplication(token, "", Number(number ?? 0)));
}

onSubmit("key-form", async () => {
  const [, token, number] = ADDRESS.exec(location.hash) ?? [];
  const wanted = at("token").value;
  await openApplication(wanted, at("key").value, token === wanted ? Number(number ?? 0) : 0);
  at("key").value = "";
});
onSubmit("application-form", async () => {
  const made = await service.create("", { name: at("application-name").value });
  at("application-name").value = "";
  await openApplication(made.token);
});
onSubmit("chat-form", async () => {
  const made = await api.create("/chats", { name: at("chat-name").value });
  at("chat-name").value = "";
  await openChat(made.chat_number);
});
onSubmit("search-form", search);
onSubmit("write-form", write);
onSubmit("edit-form", save, at("edit-problem"));
onSubmit("erase-form", eraseChosen, at("erase-problem"));

at("application")?.addEventListener("change", (event) => {
  if (event.target.value) attempt(() => openApplication(event.target.value));
});
at("chat").addEventListener("change", (event) => attempt(() => openChat(Number(event.target.value))));
at("earlier").addEventListener("click", () => attempt(() => loadMessages({ before: lowestShown() })));
at("close-search").addEventListener("click", closeSearch);
for (const button of document.querySelectorAll("dialog .cancel")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}
at("body").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  at("write-form").requestSubmit();
});
addEventListener("hashchange", openAddress);
addEventListener("online", () => listener?.open());

if (at("application")) attempt(loadApplications);
openAddress();
