/** What the fleet view is made of: the controls, the summary, the table, the pages. */

import { PAGE, SILENT, count, duration, number, percent, share, silence } from "./fleet-rows.js";

const READINGS = 4;
const COLUMNS = [["device", "Device"], ["silence", "Last event"], [null, "Latest readings"], ["late", "Late in 24 h"]];

function made(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function field(label, control) {
  return made("div", { className: "field" }, made("label", { htmlFor: control.id }, label), control);
}

function select(id, options) {
  return made("select", { id }, ...options.map(([value, text]) => made("option", { value }, text)));
}

/** Builds it all inside `element`. `changed` is told what the user chose, `turned` by how many pages to go on. */
export function build(element, changed, turned) {
  const filter = made("input", { id: "fleet-filter", type: "search", spellcheck: false, autocapitalize: "off",
    autocomplete: "off", placeholder: "Part of the id"});
  const silent = select("fleet-silent", SILENT.map((text) => [text, text]));
  const show = select("fleet-show", [["all", "all devices"], ["silent", "silent ones only"]]);
  const facts = made("p", { id: "fleet-summary", className: "fleet-summary", role: "status" });
  const body = made("tbody", { role: "rowgroup" });
  const headings = COLUMNS.map(([sort, text]) => heading(sort, text, changed));
  const head = made("thead", { role: "rowgroup" }, made("tr", { role: "row" }, ...headings));
  const table = made("table", { className: "fleet-table", role: "table" },
    made("caption", { className: "sr" }, "Devices with their latest readings"), head, body);
  const note = made("p", { id: "fleet-note", className: "empty", hidden: true });
  const before = made("button", { type: "button", id: "fleet-before" }, "Previous");
  const after = made("button", { type: "button", id: "fleet-after" }, "Next");
  const place = made("span", { id: "fleet-place" });
  const pager = made("nav", { className: "pager", ariaLabel: "Pages of the fleet" }, before, place, after);
  filter.addEventListener("input", () => changed({ q: filter.value }));
  silent.addEventListener("change", () => changed({ silent: silent.value }));
  show.addEventListener("change", () => changed({ show: show.value }));
  before.addEventListener("click", () => turned(-1));
  after.addEventListener("click", () => turned(1));
  const controls = made("form", { className: "controls", ariaLabel: "Which devices" },
    field("Find", filter), field("Silent after", silent), field("Show", show));
  controls.addEventListener("submit", (event) => event.preventDefault());
  element.replaceChildren(controls, facts, table, note, pager);
  return { filter, silent, show, facts, table, body, headings, note, pager, before, after, place, rows: new Map() };
}

function heading(sort, text, changed) {
  if (sort === null) return made("th", { scope: "col", role: "columnheader" }, text);
  const button = made("button", { type: "button", className: "quiet" }, text);
  button.addEventListener("click", () => changed({ sort }));
  const cell = made("th", { scope: "col", role: "columnheader" }, button);
  cell.dataset.sort = sort;
  return cell;
}

/** Brings the controls in line with the address; what is being typed stays as it is. */
export function choose(parts, chosen) {
  if (document.activeElement !== parts.filter) parts.filter.value = chosen.q;
  if (![...parts.silent.options].some((option) => option.value === chosen.silent)) {
    parts.silent.append(made("option", { value: chosen.silent }, chosen.silent));
  }
  parts.silent.value = chosen.silent;
  parts.show.value = chosen.show;
  for (const cell of parts.headings) {
    const order = cell.dataset.sort === "device" ? "ascending" : "descending";
    if (cell.dataset.sort === chosen.sort) cell.ariaSort = order;
    else cell.ariaSort = null;
  }
}

/** Shows a page of devices. `look`: {now, limit (s of silence), readings: id → {metric: value}, or null: not allowed}. */
export function show(parts, page, look) {
  const focused = parts.body.contains(document.activeElement) ? document.activeElement : null;
  const rows = page.map((device) => {
    const row = parts.rows.get(device.id) ?? empty(device.id);
    fill(row, device, look);
    return row;
  });
  parts.rows = new Map(page.map((device, place) => [device.id, rows[place]]));
  const same = rows.length === parts.body.rows.length && rows.every((row, place) => row === parts.body.rows[place]);
  if (!same) parts.body.replaceChildren(...rows);
  if (!same && focused?.isConnected) focused.focus();
}

function empty(id) {
  const cells = COLUMNS.slice(1).map(([, text]) => {
    const cell = made("td", { role: "cell" });
    cell.dataset.label = text;
    return cell;
  });
  const link = made("a", {href: `#${new URLSearchParams([["device_id", id], ["live", "1"]])}`}, id);
  return made("tr", { role: "row" }, made("th", { scope: "row", role: "rowheader" }, link), ...cells);
}

function fill(row, device, { now, limit, readings }) {
  const [, seen, latest, late] = row.cells;
  const age = silence(device, now);
  row.classList.toggle("silent", age > limit);
  seen.replaceChildren(...since(device, age, age > limit));
  latest.replaceChildren(...values(readings === null ? null : readings.get(device.id)));
  late.textContent = device.late === null ? "…" : percent(share(device));
  late.classList.toggle("late", device.late !== null && device.late.late > 0);
  late.title = device.late === null ? "" : `${device.late.late} of ${device.late.count} readings`;
}

function since(device, age, silent) {
  if (device.seen === null) return ["no events stored"];
  const text = age < -1 ? `${duration(-age)} ahead` : `${duration(age)} ago`;
  const time = made("time", { dateTime: new Date(device.seen).toISOString() }, text);
  time.title = time.dateTime;
  return silent ? [time, " ", made("span", { className: "badge" }, "silent")] : [time];
}

function values(readings) {
  if (readings === null) return [made("span", { className: "muted" }, "needs read:records")];
  if (readings === undefined) return [made("span", { className: "muted" }, "…")];
  const all = Object.entries(readings);
  const shown = all.slice(0, READINGS).map(([metric, value]) =>
    made("span", {className: "reading"}, `${metric} `, made("b", {}, number(value))));
  return all.length > READINGS ? [...shown, made("span", {className: "muted"}, `+${all.length - READINGS}`)] : shown;
}

/** The line under the table: which of how many. */
export function turn(parts, page, many) {
  const pages = Math.max(1, Math.ceil(many / PAGE));
  parts.pager.hidden = pages === 1;
  parts.before.disabled = page <= 1;
  parts.after.disabled = page >= pages;
  parts.place.textContent = `${count((page - 1) * PAGE + 1)}–${count(Math.min(many, page * PAGE))} of ${count(many)}`;
}

/** The summary's sentences, and what to do if there is nothing to show. */
export function tell(parts, sentences, nothing) {
  const text = sentences.join(" · ");
  if (parts.facts.textContent !== text) parts.facts.textContent = text; // a screen reader says what changes
  parts.table.hidden = nothing;
  parts.note.hidden = !nothing;
  parts.note.textContent = parts.filter.value === "" && parts.show.value === "all"
    ? "No device has sent anything that this token may see → send events to POST /ingest, or log in with another token."
    : "No device is like that → clear the filter, or show all devices.";
}
