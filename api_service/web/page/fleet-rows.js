/**
 * Decisions of the fleet view on plain data: who is silent, who is late, what is shown in which order.
 *
 * A device: {id, seen: epoch ms of its latest event or null, late: {late, count}: readings of a day, or null: not asked}.
 */

export const PAGE = 50;
export const SILENT = ["1m", "5m", "15m", "1h", "6h", "24h", "7d"];
export const SORTS = ["device", "silence", "late"];

const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400 };
const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });
const BY_ID = (a, b) => (a.id < b.id ? -1 : 1);
const ORDERS = {
  device: BY_ID,
  silence: (a, b) => (a.seen ?? -Infinity) - (b.seen ?? -Infinity) || BY_ID(a, b),
  late: (a, b) => share(b) - share(a) || BY_ID(a, b),
};

/** Seconds of "90s", "15m", "6h" or "7d"; NaN for anything else. */
export function seconds(text) {
  const match = /^([1-9]\d{0,5})([smhd])$/.exec(text);
  return match ? Number(match[1]) * UNITS[match[2]] : NaN;
}

/** The choices in the other members of the address' fragment; what can't be read is the default. */
export function choices(extra) {
  const silent = extra.get("silent") ?? "";
  const page = Number(extra.get("page"));
  return {
    q: extra.get("q") ?? "",
    silent: Number.isNaN(seconds(silent)) ? "15m" : silent,
    show: extra.get("show") === "silent" ? "silent" : "all",
    sort: SORTS.includes(extra.get("sort")) ? extra.get("sort") : "silence",
    page: Number.isInteger(page) && page > 0 ? page : 1,
  };
}

/** Seconds without an event; Infinity: there never was one; negative: its clock is ahead of the server's. */
export function silence(device, now) {
  return device.seen === null ? Infinity : (now - device.seen) / 1000;
}

/** The part of its readings that came late; -1: not asked. */
export function share(device) {
  return device.late === null ? -1 : device.late.late / Math.max(1, device.late.count);
}

/** The devices that the choices leave, in their order: all of them; a page is a slice. */
export function arranged(devices, chosen, now) {
  const part = chosen.q.toLowerCase();
  const limit = seconds(chosen.silent);
  const left = devices.filter((device) =>
    (part === "" || device.id.toLowerCase().includes(part)) &&
    (chosen.show === "all" || silence(device, now) > limit));
  return left.sort(ORDERS[chosen.sort]);
}

/** "12 s", "3 min", "5 h", "2 d": one unit, rounded down. */
export function duration(value) {
  for (const [name, size] of [["d", 86_400], ["h", 3_600], ["min", 60]]) {
    if (value >= size) return `${Math.floor(value / size)} ${name}`;
  }
  return `${Math.max(0, Math.floor(value))} s`;
}

/** What a reading is shown as. */
export function number(value) {
  return NUMBER.format(value);
}

/** "3.2 %", of a part that isn't 0 at least "< 0.1 %". */
export function percent(part) {
  if (part > 0 && part < 0.001) return "< 0.1 %";
  return `${(part * 100).toFixed(part > 0 ? 1 : 0)} %`;
}

/** What is to be known at a glance, in sentences. `left`: the devices that the choices leave. */
export function summary({ devices, complete, now }, left, chosen) {
  const limit = seconds(chosen.silent);
  const silent = devices.filter((device) => silence(device, now) > limit).length;
  const known = left.filter((device) => device.late !== null);
  const late = known.filter((device) => device.late.late > 0).length;
  const asked = known.length < left.length ? ` of the ${count(known.length)} asked about` : "";
  return [
    `${count(devices.length)}${complete ? "" : "…"} ${devices.length === 1 ? "device" : "devices"}`,
    `${count(silent)} silent for more than ${duration(limit)}`,
    `${count(late)}${asked} sent late in the last 24 h`,
  ];
}

/** 1,234. */
export function count(value) {
  return value.toLocaleString("en");
}
