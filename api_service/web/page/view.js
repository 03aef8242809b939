/**
 * What is looked at, and the address bar's fragment that holds it: pure.
 *
 * The fragment has the names of /stats: `#device_id=dev-1&device_id=dev-2&metric=temp&from=-24h&bucket=auto&live=1`,
 * `#view=fleet`. Never a token.
 *
 * @typedef {object} View
 * @property {"statistics" | "fleet"} name
 * @property {string[]} devices
 * @property {string[]} metrics  none: all
 * @property {"device" | "none"} group  "none": all devices together
 * @property {string} from
 * @property {string} to  "": now
 * @property {string} bucket
 * @property {string} percentiles  "": those that /stats gives by itself
 * @property {string} tz
 * @property {boolean} live
 * @property {string} show  lines and bands that are drawn, "": as suits the number of devices
 * @property {Map<string, string>} extra  what else the fragment holds
 */

/** @type {Readonly<View>} */
export const EMPTY = Object.freeze({
  name: "statistics",
  devices: [],
  metrics: [],
  group: "device",
  from: "-24h",
  to: "",
  bucket: "auto",
  percentiles: "",
  tz: "UTC",
  live: true,
  show: "",
  extra: new Map(),
});

const KNOWN = new Set([
  ...["view", "device_id", "metric", "group", "from", "to", "bucket", "percentiles", "tz", "live", "show"],
]);

/**
 * The view that a fragment (`#…`) names. Nothing named: the first view, which is live.
 * @param {string} fragment
 * @returns {View}
 */
export function parse(fragment) {
  const members = new URLSearchParams(fragment.replace(/^#/, ""));
  const text = (name, otherwise) => members.get(name) || otherwise;
  return {
    name: members.get("view") === "fleet" ? "fleet" : "statistics",
    devices: distinct(members.getAll("device_id")),
    metrics: distinct(members.getAll("metric")),
    group: members.get("group") === "none" ? "none" : "device",
    from: text("from", EMPTY.from),
    to: text("to", "") === "now" ? "" : text("to", ""),
    bucket: text("bucket", EMPTY.bucket),
    percentiles: text("percentiles", ""),
    tz: text("tz", EMPTY.tz),
    live: members.size === 0 || members.get("live") === "1",
    show: text("show", ""),
    extra: new Map([...members].filter(([name]) => !KNOWN.has(name))),
  };
}

/**
 * The fragment of a view; what is as by default is left out, but for the window.
 * @param {View} view
 * @returns {string}
 */
export function format(view) {
  const pairs = [];
  if (view.name === "fleet") pairs.push(["view", "fleet"]);
  for (const device of view.devices) pairs.push(["device_id", device]);
  for (const metric of view.metrics) pairs.push(["metric", metric]);
  if (view.group === "none") pairs.push(["group", "none"]);
  if (view.name !== "fleet") pairs.push(["from", view.from]);
  for (const name of ["to", "bucket", "percentiles", "tz", "show"]) {
    if (view[name] && view[name] !== EMPTY[name]) pairs.push([name, view[name]]);
  }
  if (view.live && view.name !== "fleet") pairs.push(["live", "1"]);
  pairs.push(...view.extra);
  // As a person would write it: what a fragment may hold unescaped (RFC 3986) stays readable.
  const escaped = (text) => encodeURIComponent(text).replace(/%(3A|2C|2F|40)/g, decodeURIComponent);
  return "#" + pairs.map(([name, value]) => `${name}=${escaped(value)}`).join("&");
}

/**
 * The parameters of /stats for a view.
 * @param {View} view
 * @returns {[string, string][]}
 */
export function parameters(view) {
  const pairs = view.group === "none" ? [["group", "none"]] : view.devices.map((device) => ["device_id", device]);
  for (const metric of view.metrics) pairs.push(["metric", metric]);
  pairs.push(["from", view.from]);
  if (view.to) pairs.push(["to", view.to]);
  if (view.bucket !== "auto") pairs.push(["bucket", view.bucket]);
  if (view.percentiles) pairs.push(["percentiles", view.percentiles]);
  if (view.tz !== "UTC") pairs.push(["tz", view.tz]);
  return pairs;
}

/**
 * Whether there is something to ask for.
 * @param {View} view
 */
export const asks = (view) => view.group === "none" || view.devices.length > 0;

/**
 * Whether the window moves with the clock.
 * @param {View} view
 */
export const moves = (view) => view.to === "";

/**
 * The names of the percentiles of a view's rows: p50, p99.9.
 * @param {View} view
 * @returns {string[]}
 */
export function percentileNames(view) {
  const asked = view.percentiles || "50,90,95,99";
  const names = asked
    .split(",")
    .map((text) => Number(text))
    .filter((number) => number >= 0 && number <= 100);
  return distinct(names).map((number) => `p${number}`);
}

/**
 * What is drawn of "band" (min to max), "avg" and the percentiles: the more devices, the less of each.
 * @param {View} view
 * @returns {Set<string>}
 */
export function shown(view) {
  if (view.show) return new Set(view.show.split(","));
  if (view.devices.length > 3) return new Set(["avg"]);
  return new Set(["band", "avg", ...(view.devices.length > 1 ? [] : percentileNames(view))]);
}

function distinct(values) {
  return [...new Set(values)];
}
