/**
 * Decisions of the fleet view on plain data: who is silent, who is late, what is shown in which order.
 *
 * @typedef {object} Device
 * @property {string} id
 * @property {number | null} seen  its latest event in milliseconds since 1970; null: none is stored
 * @property {{late: number, count: number} | null} late  readings of the last day; null: not asked for
 *
 * @typedef {object} Choices
 * @property {string} q  a part of the id, in whatever case
 * @property {string} silent  as long without an event is silent: "15m"
 * @property {"" | "silent"} only
 * @property {"device" | "silence" | "late"} sort
 * @property {number} page  from 1 on
 */

import { counted, many, measured } from "./numbers.js";

export const PAGE = 50;
export const SILENT = ["1m", "5m", "15m", "1h", "6h", "24h", "7d"];

const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400 };
const byId = (a, b) => (a.id < b.id ? -1 : 1);
const ORDERS = {
  device: byId,
  silence: (a, b) => (a.seen ?? -Infinity) - (b.seen ?? -Infinity) || byId(a, b),
  late: (a, b) => share(b) - share(a) || byId(a, b),
};

/**
 * Seconds of "90s", "15m", "6h" or "7d"; NaN for anything else.
 * @param {string} text
 */
export function seconds(text) {
  const found = /^([1-9]\d{0,5})([smhd])$/.exec(text);
  return found ? Number(found[1]) * UNITS[found[2]] : NaN;
}

/**
 * The choices in the other members of the address' fragment; what can't be read is as by default.
 * @param {Map<string, string>} extra
 * @returns {Choices}
 */
export function choices(extra) {
  const silent = extra.get("silent") ?? "";
  const page = Number(extra.get("page"));
  return {
    q: extra.get("q") ?? "",
    silent: Number.isNaN(seconds(silent)) ? "15m" : silent,
    only: extra.get("only") === "silent" ? "silent" : "",
    sort: Object.hasOwn(ORDERS, extra.get("sort") ?? "") ? extra.get("sort") : "silence",
    page: Number.isInteger(page) && page > 0 ? page : 1,
  };
}

/**
 * Seconds without an event; Infinity: there never was one; negative: its clock is ahead of the server's.
 * @param {Device} device
 * @param {number} now
 */
export function silence(device, now) {
  return device.seen === null ? Infinity : (now - device.seen) / 1_000;
}

/**
 * The part of its readings that came late; -1: not asked for.
 * @param {Device} device
 */
export function share(device) {
  return device.late === null ? -1 : device.late.late / Math.max(1, device.late.count);
}

/**
 * The devices that the choices leave, in their order: all of them; a page is a slice.
 * @param {Device[]} devices
 * @param {Choices} chosen
 * @param {number} now
 */
export function arranged(devices, chosen, now) {
  const part = chosen.q.toLowerCase();
  const limit = seconds(chosen.silent);
  const left = devices.filter(
    (device) =>
      (part === "" || device.id.toLowerCase().includes(part)) &&
      (chosen.only === "" || silence(device, now) > limit),
  );
  return left.sort(ORDERS[chosen.sort]);
}

/**
 * `3.2 %`; of a part that isn't nothing at least `< 0.1 %`.
 * @param {number} part
 */
export function percent(part) {
  return part > 0 && part < 0.001 ? "< 0.1 %" : `${measured(Math.round(part * 1_000) / 10)} %`;
}

/**
 * What is to be known at a glance, in sentences.
 * @param {{devices: Device[], complete: boolean, now: number}} fleet
 * @param {Device[]} left  those that the choices leave
 * @param {Choices} chosen
 */
export function summary({ devices, complete, now }, left, chosen) {
  const limit = seconds(chosen.silent);
  const silent = devices.filter((device) => silence(device, now) > limit).length;
  const known = left.filter((device) => device.late !== null);
  const late = known.filter((device) => device.late.late > 0).length;
  const asked = known.length < left.length ? ` of the ${counted(known.length)} asked about` : "";
  return [
    `${many(devices.length, "device")}${complete ? "" : " so far"}`,
    `${counted(silent)} silent for more than ${chosen.silent}`,
    `${counted(late)}${asked} sent late readings in the last 24 h`,
  ];
}
