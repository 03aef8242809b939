/**
 * The labels of a chart's axes, in the view's zone.
 */

const DAY_MS = 864e5;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/**
 * @param {string} tz
 * @param {{text: string, grid: string, axis: string}} ink
 * @returns {object[]} the x and the y axis for uPlot
 */
export function axes(tz, ink) {
  const common = {
    stroke: ink.text,
    font: "11px system-ui, sans-serif",
    grid: { stroke: ink.grid, width: 1 },
  };
  const ticks = { stroke: ink.axis, width: 1, size: 4 };
  return [
    {
      ...common,
      space: 64,
      size: 40,
      gap: 4,
      ticks,
      values: (u, splits, axis, space, step) => times(splits, step, tz),
    },
    {
      ...common,
      space: 34,
      size: 56,
      gap: 6,
      ticks: { show: false },
      values: (u, splits, axis, space, step) => values(splits, step),
    },
  ];
}

/**
 * Hours and, where it changes, the day; days and, where it changes, the year.
 * @param {number[]} splits
 * @param {number} step  both in milliseconds
 * @param {string} tz
 * @returns {string[]}
 */
export function times(splits, step, tz) {
  let before = "";
  return splits.map((moment) => {
    const shown = clock(moment, tz);
    const day = `${shown.getUTCDate()} ${MONTHS[shown.getUTCMonth()]}`;
    const [fine, coarse] = step < DAY_MS ? [hour(shown, step), day] : [day, String(shown.getUTCFullYear())];
    const label = coarse === before ? fine : `${fine}\n${coarse}`;
    before = coarse;
    return label;
  });
}

/**
 * As many digits as tell the labels apart; thousands and millions in short.
 * @param {number[]} splits
 * @param {number} step
 * @returns {string[]}
 */
export function values(splits, step) {
  const largest = Math.max(...splits.map(Math.abs));
  if (largest >= 1e9 || (largest < 1e-3 && largest > 0))
    return splits.map((value) => (value ? value.toExponential(1) : "0"));
  const digits =
    [0, 1, 2, 3, 4, 5].find((each) => Math.abs(step * 10 ** each - Math.round(step * 10 ** each)) < 1e-6) ?? 6;
  const short = { notation: "compact", maximumFractionDigits: 2 };
  const format = new Intl.NumberFormat(
    "en",
    largest >= 1e5 ? short : { maximumFractionDigits: digits, minimumFractionDigits: digits },
  );
  return splits.map((value) => format.format(value));
}

function hour(shown, step) {
  return shown.toISOString().slice(11, step < 60_000 ? 19 : 16);
}

/** A date whose UTC members are what the zone's clocks show. */
export function clock(moment, tz) {
  if (tz === "UTC") return new Date(moment);
  const text = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone: tz }).format(
    moment,
  );
  return new Date(`${text.replace(" ", "T")}Z`);
}
