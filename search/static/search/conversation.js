// Keeps a conversation up to date while it is open. The stream of the chat tells which messages
// are new or changed; the server renders these as it rendered the page.
"use strict";

const conversation = document.getElementById("conversation");
const live = document.getElementById("live");
const LIMIT_MS = 10000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60000;
// A page with more messages than this takes no further ones.
const MOST_SHOWN = 500;
const TYPES = ["message.created", "message.updated", "message.erased"];

// Numbers of messages to be rendered anew.
let wanted = new Set();
let isUpdating = false;
// The id of the last event; empty before the first one.
let lastId = "";
let pause = FIRST_PAUSE_MS;
// Whether the page ends with the latest message, so that new ones belong to it.
let isAtEnd = "atEnd" in conversation.dataset;
// Items as the server rendered them; a reader may have unfolded some.
const rendered = new Map();

const items = () => [...conversation.querySelectorAll("li[id]")];
const numberOf = (item) => Number(item.id.slice(1));
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function say(text) {
  live.textContent = text;
  live.hidden = false;
}

async function load(address) {
  const answer = await fetch(address, { signal: AbortSignal.timeout(LIMIT_MS) });
  if (answer.redirected) location.reload(); // to the login
  if (answer.redirected || !answer.ok) throw new Error(`status ${answer.status}`);
  return answer;
}

function sayWhatAppears() {
  if (items().length >= MOST_SHOWN) {
    const latest = document.createElement("a");
    latest.href = "?";
    latest.textContent = "Latest »";
    say("This page is full. ");
    live.append(latest);
  } else {
    say(`${isAtEnd ? "New messages" : "Changes"} appear here by themselves.`);
  }
}

function add(item) {
  if (items().length >= MOST_SHOWN) {
    isAtEnd = false;
    return sayWhatAppears();
  }
  conversation.querySelector(".empty")?.remove();
  const number = numberOf(item);
  const next = items().find((other) => numberOf(other) > number);
  conversation.insertBefore(item, next ?? null);
}

function put(item) {
  const shown = document.getElementById(item.id);
  if (shown && rendered.get(item.id) === item.outerHTML) return;
  rendered.set(item.id, item.outerHTML);
  if (!shown) return isAtEnd && numberOf(item) > firstNumber() ? add(item) : undefined;
  // The element stays: it may be the target of the address, and its text unfolded.
  const isOpen = shown.querySelector("details")?.open;
  shown.className = item.className;
  shown.replaceChildren(...item.childNodes);
  if (isOpen) shown.querySelector("details")?.setAttribute("open", "");
}

const firstNumber = () => (items().length ? numberOf(items()[0]) : 0);

function want(number) {
  const shown = items();
  const last = shown.length ? numberOf(shown.at(-1)) : 0;
  if (number >= firstNumber() && (isAtEnd || number <= last)) wanted.add(number);
}

// All messages of the page, and the ones behind it.
function wantAll() {
  const numbers = items().map(numberOf);
  for (const number of numbers) wanted.add(number);
  if (isAtEnd) wanted.add((numbers.at(-1) ?? 0) + 1);
}

async function updateSome() {
  const numbers = [...wanted];
  wanted = new Set();
  try {
    const lowest = numbers.reduce((one, other) => Math.min(one, other));
    const answer = await load(`${conversation.dataset.messages}?after=${lowest - 1}`);
    const part = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = [...part.querySelectorAll("li[id]")];
    found.map((item) => document.adoptNode(item)).forEach(put);
    const last = found.length ? numberOf(found.at(-1)) : Infinity;
    for (const number of numbers) if (number > last) wanted.add(number);
  } catch (error) {
    for (const number of numbers) wanted.add(number);
    throw error;
  }
}

async function update() {
  if (isUpdating) return;
  isUpdating = true;
  let isLate = false;
  while (wanted.size) {
    try {
      await updateSome();
      if (isLate) sayWhatAppears();
      isLate = false;
    } catch (error) {
      isLate = true;
      say(`This page is not up to date: ${error.message}.`);
      await rest();
    }
  }
  isUpdating = false;
}

async function rest() {
  await wait(pause * (0.5 + Math.random()));
  pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
}

function receive(event) {
  lastId = event.lastEventId;
  const { message } = JSON.parse(event.data);
  if (message) want(message.message_number); // a message that was purged is null
  update();
}

function open({ address, seconds }) {
  const after = lastId && `&after=${encodeURIComponent(lastId)}`;
  const source = new EventSource(address + after);
  const renewal = setTimeout(() => end(follow), seconds * 800); // before it expires
  const end = (next) => {
    clearTimeout(renewal);
    source.close();
    next();
  };
  source.addEventListener("open", () => {
    pause = FIRST_PAUSE_MS;
    sayWhatAppears();
    if (!lastId) wantAll(); // there is no place to resume at
    update();
  });
  for (const type of TYPES) source.addEventListener(type, receive);
  source.addEventListener("reset", (event) => {
    lastId = event.lastEventId;
    wantAll();
    update();
  });
  source.addEventListener("error", () => {
    say("New messages do not appear at the moment: connecting again …");
    if (source.readyState === EventSource.CLOSED) end(() => rest().then(follow));
  });
}

async function follow() {
  try {
    open(await (await load(conversation.dataset.token)).json());
  } catch (error) {
    say(`New messages do not appear at the moment: ${error.message}.`);
    await rest();
    follow();
  }
}

for (const item of items()) rendered.set(item.id, item.outerHTML);
follow();
