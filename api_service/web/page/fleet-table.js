/**
 * What the fleet view is made of: the controls, the summary, the table, its pages.
 */

import { h, write } from "./elements.js";
import { PAGE, SILENT, percent, share, silence } from "./fleet-rows.js";
import { counted, measured } from "./numbers.js";
import { duration } from "./times.js";

const READINGS = 4;
const COLUMNS = [["device", "Device"], ["silence", "Last event"], ["", "Latest readings"], ["late", "Late in 24 h"]];
const NOBODY =
  "No device has sent anything that this token may see → send events to POST /ingest, or log in with another token.";

/**
 * Builds it all inside `element`.
 * @param {HTMLElement} element
 * @param {(choice: Partial<import("./fleet-rows.js").Choices>) => void} changed  told what the person chose
 * @param {(step: number) => void} turned  told how many pages to go on
 */
export function build(element, changed, turned) {
  const filter = h("input", {
    ...{ id: "fleet-filter", type: "search", spellcheck: "false", autocapitalize: "off", autocomplete: "off" },
    ...{ placeholder: "Part of the id", input: () => changed({ q: filter.value }) },
  });
  const silent = select("fleet-silent", SILENT.map((text) => [text, text]), () => changed({ silent: silent.value }));
  const kinds = [["", "all devices"], ["silent", "silent ones only"]];
  const only = select("fleet-only", kinds, () => changed({ only: only.value }));
  const controls = h("form", { class: "controls", "aria-label": "Which devices", submit: (event) => event.preventDefault() },
    field("Find", filter, "wide"), field("Silent after", silent), field("Show", only));
  const facts = h("p", { id: "fleet-summary", class: "fleet-summary", role: "status" });
  const headings = COLUMNS.map(([sort, text]) => heading(sort, text, changed));
  const body = h("tbody", { role: "rowgroup" });
  // Roles are told again: as a grid of its own style, on a phone, a table wouldn't be one any more.
  const table = h("table", { class: "fleet-table", role: "table", hidden: true },
    h("caption", { class: "sr" }, "Devices with their latest readings"),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...headings)), body);
  const note = h("p", { id: "fleet-note", class: "empty", hidden: true });
  const before = h("button", { type: "button", click: () => turned(-1) }, "Previous");
  const after = h("button", { type: "button", click: () => turned(1) }, "Next");
  const place = h("span", {});
  const pager = h("nav", { class: "pager", "aria-label": "Pages of the fleet", hidden: true }, before, place, after);
  element.replaceChildren(controls, facts, table, note, pager);
  return { filter, silent, only, facts, headings, table, body, note, pager, before, after, place, rows: new Map() };
}

function field(label, control, kind = "") {
  return h("div", { class: `field ${kind}` }, h("label", { for: control.id }, label), control);
}

function select(id, options, change) {
  return h("select", { id, change }, ...options.map(([value, text]) => h("option", { value }, text)));
}

function heading(sort, text, changed) {
  if (!sort) return h("th", { scope: "col", role: "columnheader" }, text);
  const button = h("button", { type: "button", class: "quiet", click: () => changed({ sort }) }, text);
  return h("th", { scope: "col", role: "columnheader", "data-sort": sort }, button);
}

/** Brings the controls in line with the address; what is being typed stays as it is. */
export function choose(parts, chosen) {
  if (document.activeElement !== parts.filter) parts.filter.value = chosen.q;
  const known = [...parts.silent.options].some((option) => option.value === chosen.silent);
  if (!known) parts.silent.append(h("option", { value: chosen.silent }, chosen.silent));
  parts.silent.value = chosen.silent;
  parts.only.value = chosen.only;
  for (const cell of parts.headings) {
    const order = cell.dataset.sort === "device" ? "ascending" : "descending";
    if (cell.dataset.sort === chosen.sort) cell.setAttribute("aria-sort", order);
    else cell.removeAttribute("aria-sort");
  }
}

/**
 * Shows a page of devices.
 * @param {import("./fleet-rows.js").Device[]} page
 * @param {{now: number, limit: number, readings: Map<string, Record<string, number>> | null}} look
 *     `limit`: seconds of silence; `readings`: by device, null: the token may not read them
 */
export function show(parts, page, look) {
  const focused = parts.body.contains(document.activeElement) ? document.activeElement : null;
  const rows = page.map((device) => filled(parts.rows.get(device.id) ?? empty(device.id), device, look));
  parts.rows = new Map(page.map((device, place) => [device.id, rows[place]]));
  const same = rows.length === parts.body.rows.length && rows.every((row, place) => row === parts.body.rows[place]);
  if (same) return;
  parts.body.replaceChildren(...rows);
  if (focused?.isConnected) focused.focus();
}

function empty(id) {
  const link = h("a", { href: `#${new URLSearchParams([["device_id", id], ["live", "1"]])}`, title: id }, id);
  const cells = COLUMNS.slice(1).map(([, text]) => h("td", { role: "cell", "data-label": text }));
  return h("tr", { role: "row" }, h("th", { scope: "row", role: "rowheader" }, link), ...cells);
}

function filled(row, device, { now, limit, readings }) {
  const [, seen, latest, late] = row.cells;
  const age = silence(device, now);
  row.classList.toggle("silent", age > limit);
  seen.replaceChildren(...since(device, age, age > limit));
  latest.replaceChildren(...values(readings === null ? null : readings.get(device.id)));
  write(late, device.late === null ? "…" : percent(share(device)));
  late.classList.toggle("late", device.late !== null && device.late.late > 0);
  late.title = device.late === null ? "" : `${counted(device.late.late)} of ${counted(device.late.count)} readings`;
  return row;
}

function since(device, age, silent) {
  if (device.seen === null) return ["nothing stored"];
  const time = new Date(device.seen).toISOString();
  const text = age < -1 ? `${duration(-age)} ahead of the clock` : `${duration(Math.max(age, 0))} ago`;
  const badge = silent ? [" ", h("span", { class: "badge" }, "silent")] : [];
  return [h("time", { datetime: time, title: time }, text), ...badge];
}

function values(readings) {
  const muted = (text) => [h("span", { class: "muted" }, text)];
  if (readings === null) return muted("needs read:records");
  if (readings === undefined) return muted("…");
  const all = Object.entries(readings);
  if (all.length === 0) return muted("nothing stored");
  const shown = all.slice(0, READINGS).map(([metric, value]) =>
    h("span", { class: "reading" }, `${metric} `, h("b", {}, measured(value))));
  return all.length > READINGS ? [...shown, ...muted(`+ ${all.length - READINGS}`)] : shown;
}

/** The line under the table: which of how many. */
export function turn(parts, page, many) {
  const pages = Math.max(1, Math.ceil(many / PAGE));
  parts.pager.hidden = pages === 1;
  parts.before.disabled = page <= 1;
  parts.after.disabled = page >= pages;
  write(parts.place, `${counted((page - 1) * PAGE + 1)}–${counted(Math.min(many, page * PAGE))} of ${counted(many)}`);
}

/** The summary's sentences, and what to do if there is nothing to show. */
export function tell(parts, sentences, { nothing, devices }) {
  write(parts.facts, sentences.join(" · "));
  parts.table.hidden = nothing;
  parts.note.hidden = !nothing;
  write(parts.note, devices === 0 ? NOBODY : "No device is like that → clear the filter, or show all devices.");
}
