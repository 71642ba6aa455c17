// The demo's live plan: draws the levels once, then moves phones and fills the feed from server-sent events.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const PHONE_FORGOTTEN_S = 45; // mall seconds without a scan after which a phone is taken off the plan
const FEED_ROWS = 30;
const language = document.documentElement.lang;
const words = document.getElementById("words").dataset;
const planBox = document.querySelector("[data-plan]");
const statusLine = document.querySelector("[data-status]");
const feed = document.querySelector("[data-feed]");
const clock = document.querySelector("[data-clock]");
const tabs = document.querySelector(".levels");

const levels = new Map(); // short name -> { svg, phones group, tab, count }
const storeNames = new Map(); // store id -> name in the reader's language
const phones = new Map(); // number -> { element, last message }
let shown = null;

const word = (name) => words["word" + name.split(/[.-]/).map((p) => p[0].toUpperCase() + p.slice(1)).join("")] || name;
const number = new Intl.NumberFormat(language);
const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });

function make(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (parent) parent.appendChild(element);
  return element;
}

const path = (area) =>
  area.map((polygon) => polygon.map((ring) => "M" + ring.map(([x, y]) => `${x} ${-y}`).join("L") + "Z").join("")).join("");

// A category always has the same colour, whatever the mall: its name chooses the hue.
function hueOf(category) {
  let hash = 7;
  for (const letter of category) hash = (hash * 31 + letter.codePointAt(0)) % 3600;
  return (hash * 137.5) % 360;
}

function sizeOf(area) {
  const xs = area[0][0].map((p) => p[0]), ys = area[0][0].map((p) => p[1]);
  return [Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)];
}

// A name is set as large as its room allows, broken at spaces, and left out where nobody could read it.
function label(store, parent) {
  const name = store.names[language] || store.name;
  const [width, height] = sizeOf(store.area);
  const letters = (text) => [...text].reduce((sum, c) => sum + (c.codePointAt(0) > 0x2e80 ? 1.05 : 0.6), 0);
  const fit = (lines) =>
    Math.min(2.1, (width * 0.9) / Math.max(...lines.map(letters)), (height * 0.8) / (lines.length * 1.15));
  const broken = name.includes(" ") ? split(name) : [name];
  const lines = fit(broken) > fit([name]) ? broken : [name];
  const size = fit(lines);
  if (size < 0.75) return;
  const text = make("text", { class: "store-name", "font-size": size.toFixed(2) }, parent);
  lines.forEach((line, i) => {
    const y = -store.label[1] + (i - (lines.length - 1) / 2) * size * 1.15;
    make("tspan", { x: store.label[0], y: y.toFixed(2) }, text).textContent = line;
  });
}

function split(name) {
  const parts = name.split(" ");
  let best = [name], longest = Infinity;
  for (let i = 1; i < parts.length; i++) {
    const lines = [parts.slice(0, i).join(" "), parts.slice(i).join(" ")];
    const length = Math.max(lines[0].length, lines[1].length);
    if (length < longest) [best, longest] = [lines, length];
  }
  return best;
}

function drawLevel(level) {
  const [minX, minY, maxX, maxY] = level.bounds;
  const svg = make("svg", { viewBox: `${minX - 2} ${-maxY - 2} ${maxX - minX + 4} ${maxY - minY + 4}`, role: "img" });
  svg.setAttribute("aria-label", level.name);
  make("path", { class: "floor", d: path(level.area), "fill-rule": "evenodd" }, svg);
  for (const unit of level.units) make("path", { class: `unit ${unit.category}`, d: path(unit.area), "fill-rule": "evenodd" }, svg);
  for (const store of level.stores) {
    storeNames.set(store.id, store.names[language] || store.name);
    const shape = make("path", { class: "store", d: path(store.area) }, svg);
    const hue = hueOf(store.category).toFixed(0);
    shape.setAttribute("fill", `hsl(${hue} 45% 60% / .38)`);
    make("title", {}, shape).textContent = `${store.names[language] || store.name} · ${store.category}`;
  }
  for (const store of level.stores) label(store, svg);
  const group = make("g", {}, svg);
  const tab = document.createElement("button");
  tab.type = "button";
  tab.setAttribute("role", "tab");
  tab.textContent = level.short_name;
  const count = document.createElement("small");
  tab.appendChild(count);
  tab.addEventListener("click", () => show(level.short_name));
  tabs.appendChild(tab);
  levels.set(level.short_name, { svg, group, tab, count });
}

function show(name) {
  shown = name;
  for (const [other, level] of levels) {
    level.tab.setAttribute("aria-selected", String(other === name));
    if (other === name) planBox.replaceChildren(level.svg);
  }
}

function placePhone(message) {
  const level = levels.get(message.level);
  if (!level) return;
  let held = phones.get(message.n);
  if (!held) {
    const element = make("g", { class: "phone" });
    held = {
      element,
      gap: make("line", { class: "gap", x1: 0, y1: 0 }, element),
      ring: make("circle", { class: "true", r: 0.95 }, element),
      dot: make("circle", { r: 0.72 }, element),
    };
    phones.set(message.n, held);
  }
  held.at = Date.parse(message.at);
  held.level = message.level;
  if (held.element.parentNode !== level.group) level.group.appendChild(held.element);
  held.element.setAttribute("transform", `translate(${message.true[0]} ${-message.true[1]})`);
  const isHere = message.found && message.found_level === message.level;
  held.dot.style.display = held.gap.style.display = isHere ? "" : "none";
  if (!isHere) return;
  const dx = message.found[0] - message.true[0], dy = -(message.found[1] - message.true[1]);
  for (const [key, value] of [["cx", dx], ["cy", dy]]) held.dot.setAttribute(key, value.toFixed(2));
  for (const [key, value] of [["x2", dx], ["y2", dy]]) held.gap.setAttribute(key, value.toFixed(2));
  const kind = message.store_id === message.true_store_id ? "right" : message.store_id === null ? "walkway" : "wrong";
  held.dot.setAttribute("class", `found ${kind}`);
}

function forgetPhones(now) {
  const counts = new Map();
  for (const [n, held] of phones) {
    if (now - held.at > PHONE_FORGOTTEN_S * 1000) {
      held.element.remove();
      phones.delete(n);
    } else counts.set(held.level, (counts.get(held.level) || 0) + 1);
  }
  for (const [name, level] of levels) level.count.textContent = counts.get(name) ? ` ${counts.get(name)}` : "";
}

const timeOf = (iso) => iso.slice(11, 16);

function tell(happening) {
  if (happening.kind.startsWith("visit.") && (happening.place_kind !== "store" || happening.counted === false)) return;
  feed.querySelector(".empty")?.remove();
  const row = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = localTime(happening.at);
  const text = document.createElement("span");
  const what = document.createElement("span");
  what.className = "what";
  what.textContent = word(happening.kind);
  if (storeNames.has(happening.place_id)) {
    const place = document.createElement("b");
    place.textContent = storeNames.get(happening.place_id);
    text.append(place, " ");
  }
  text.append(what);
  if (happening.kind === "visit.exited" && happening.dwell_s)
    text.append(` · ${number.format(Math.round(happening.dwell_s / 60))} ${word("minutes")}`);
  if (happening.kind.startsWith("coupon.")) row.className = "money";
  row.append(time, text);
  feed.prepend(row);
  while (feed.children.length > FEED_ROWS) feed.lastElementChild.remove();
}

let zone = "UTC";
function localTime(iso, withDay) {
  const options = { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: zone };
  if (withDay) Object.assign(options, { weekday: "short", day: "numeric", month: "short", second: "2-digit" });
  return new Intl.DateTimeFormat(language, options).format(new Date(iso));
}

function tellSummary(summary) {
  for (const cell of document.querySelectorAll("[data-number]")) {
    const value = summary[cell.dataset.number];
    if (value === null || value === undefined) cell.textContent = "–";
    else cell.textContent = cell.dataset.number === "right_store_share" ? percent.format(value) : number.format(value);
  }
}

async function start() {
  const plan = await (await fetch("/v1/demo/plan")).json();
  zone = plan.time_zone || "UTC";
  plan.levels.forEach(drawLevel);
  show(plan.levels[0].short_name); // where people come in
  const stream = new EventSource("/v1/demo/stream");
  stream.addEventListener("phones", (event) => {
    const message = JSON.parse(event.data);
    clock.textContent = localTime(message.sim_time, true);
    message.phones.forEach(placePhone);
    forgetPhones(Date.parse(message.sim_time));
  });
  stream.addEventListener("happening", (event) => tell(JSON.parse(event.data)));
  stream.addEventListener("summary", (event) => tellSummary(JSON.parse(event.data)));
  stream.addEventListener("open", () => statusLine.remove());
  stream.addEventListener("error", () => {
    statusLine.textContent = word("lost");
    if (!statusLine.isConnected) planBox.prepend(statusLine);
  });
}

start().catch(() => {
  statusLine.textContent = word("lost");
  setTimeout(() => location.reload(), 3000);
});
