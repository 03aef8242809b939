/**
 * Times as people write them, and windows between them: pure. Moments are milliseconds since 1970.
 */

const UNITS = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };
const LOCAL = /^(\d{4})-(\d\d?)-(\d\d?)(?:[ T](\d\d?):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?$/;
const ABSOLUTE = /^\d{4}-\d\d-\d\d[Tt ].*([Zz]|[+-]\d\d:\d\d)$/;
const LEAST_MS = 60_000;

/**
 * What /stats takes for what was typed: `7d` and `- 7d` are `-7d`; a time without an offset is one in `tz`.
 * Anything else stays as it is: the API says what is wrong with it.
 * @param {string} text
 * @param {string} tz
 * @returns {string}
 */
export function normalise(text, tz) {
  const plain = text.trim();
  const back = /^[-–−]?\s*(\d+)\s*([smhdw])$/i.exec(plain);
  if (back) return `-${back[1]}${back[2].toLowerCase()}`;
  const local = LOCAL.exec(plain);
  if (!local) return plain.toLowerCase() === "now" ? "now" : plain;
  const [year, month, day, hour, minute, second] = local.slice(1).map((part) => Number(part ?? 0));
  return rfc3339(fromZone(Date.UTC(year, month - 1, day, hour, minute, second), tz));
}

/**
 * The length of a window back from now (`-24h`); null for another kind of time.
 * @param {string} text
 * @returns {number | null} milliseconds
 */
export function back(text) {
  const found = /^-(\d+)([smhdw])$/.exec(text);
  return found ? Number(found[1]) * UNITS[found[2]] : null;
}

/**
 * The window that two texts mean; null where only the API knows.
 * @param {string} from
 * @param {string} to
 * @param {number} now
 * @returns {[number, number] | null}
 */
export function extent(from, to, now) {
  const moment = (text) => (text === "" ? now : back(text) === null ? Date.parse(text) : now - back(text));
  const [start, end] = [moment(from), moment(to)];
  return start < end ? [start, end] : null;
}

/**
 * A moment as /stats takes it, to the second.
 * @param {number} moment
 * @returns {string}
 */
export function rfc3339(moment) {
  return Number.isFinite(moment) ? new Date(moment).toISOString().replace(/\.\d{3}Z$/, "Z") : "";
}

/**
 * A time of a view as it is written in a field: one with an offset as `tz` has it, others as they are.
 * @param {string} text
 * @param {string} tz
 * @returns {string}
 */
export function field(text, tz) {
  return ABSOLUTE.test(text) && !Number.isNaN(Date.parse(text)) ? written(Date.parse(text), tz) : text;
}

/**
 * So far back from now, in the largest unit that has no remainder: `-2d`.
 * @param {number} length  milliseconds
 * @returns {string}
 */
export function ago(length) {
  const unit = ["w", "d", "h", "m"].find(
    (each) => length % UNITS[each] === 0 && (each !== "w" || length > 8 * UNITS.w),
  );
  return unit ? `-${length / UNITS[unit]}${unit}` : `-${Math.ceil(length / 1e3)}s`;
}

/**
 * A window that holds the dragged one, a minute long at least; in whole minutes, or seconds if it is short.
 * @param {number} from
 * @param {number} to
 * @returns {[number, number]}
 */
export function dragged(from, to) {
  const short = Math.max(0, LEAST_MS - (to - from)) / 2;
  const unit = to - from < 5 * UNITS.m ? UNITS.s : UNITS.m;
  return [Math.floor((from - short) / unit) * unit, Math.ceil((to + short) / unit) * unit];
}

/**
 * A window twice as long about the same middle, which doesn't reach beyond `now`.
 * @param {number} from
 * @param {number} to
 * @param {number} now
 * @returns {[number, number]}
 */
export function widened(from, to, now) {
  const half = (to - from) / 2;
  const end = Math.min(to + half, Math.max(to, now));
  return [end - 4 * half, end];
}

/**
 * `2026-01-31 14:00` in a zone, with seconds where there are some.
 * @param {number} moment
 * @param {string} tz
 * @returns {string}
 */
export function written(moment, tz) {
  const text = stamped(moment, tz);
  return text.endsWith(":00") ? text.slice(0, -3) : text;
}

/**
 * `2026-01-31 14:00:00` in a zone.
 * @param {number} moment
 * @param {string} tz
 * @returns {string}
 */
export const stamped = (moment, tz) => formatter(tz).format(moment);

/**
 * How long: `45 s`, `12 min`, `3.5 h`, `2 d`.
 * @param {number} seconds
 * @returns {string}
 */
export function duration(seconds) {
  const short = (value) => String(Math.round(value * (value < 10 ? 10 : 1)) / (value < 10 ? 10 : 1));
  if (seconds < 1) return "< 1 s";
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6_000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${short(seconds / 3_600)} h`;
  return `${short(seconds / 86_400)} d`;
}

const formatters = new Map();

function formatter(tz) {
  if (!formatters.has(tz)) {
    const parts = {
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    };
    formatters.set(tz, new Intl.DateTimeFormat("sv-SE", { ...parts, timeZone: known(tz) ? tz : "UTC" }));
  }
  return formatters.get(tz);
}

/**
 * Whether this browser knows the zone.
 * @param {string} tz
 */
export function known(tz) {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: tz }));
  } catch {
    return false;
  }
}

/** The moment at which a zone's clocks show what UTC's show at `shown`. */
function fromZone(shown, tz) {
  const offset = (moment) => Date.parse(`${formatter(tz).format(moment).replace(" ", "T")}Z`) - moment;
  const first = shown - offset(shown);
  return shown - offset(first);
}
