/**
 * The rows that are shown: a window's answer, and what the stream changes about it. Pure.
 *
 * @typedef {object} Row  of /stats, and `at`, `until`: its start and end in milliseconds
 * @typedef {object} Column  of a device in a panel; null where it has no reading
 * @property {string | null} device  null: all devices together
 * @property {(Row | null)[]} rows
 * @typedef {object} Panel  one metric; `starts` and `ends` of its buckets, in order
 * @property {string} metric
 * @property {number[]} starts
 * @property {number[]} ends
 * @property {Column[]} columns  one a device, in the view's order
 */

/** Rows by device and metric, then by start. */
export class Rows {
  #series = new Map();
  size = 0;

  /**
   * An answer of /stats takes the place of all.
   * @param {Row[]} rows
   */
  replace(rows) {
    this.#series.clear();
    this.size = 0;
    this.add(rows);
  }

  /**
   * What an event of the stream says: rows are new or changed; with `complete`, they are all there are in its window.
   * @param {{rows: Row[], complete: boolean, from: string, to: string}} event
   */
  merge(event) {
    if (event.complete) this.#remove(Date.parse(event.from), Date.parse(event.to));
    this.add(event.rows);
  }

  /** @param {Row[]} rows */
  add(rows) {
    for (const row of rows) {
      const key = `${row.device_id ?? ""}\n${row.metric}`;
      if (!this.#series.has(key)) this.#series.set(key, { device: row.device_id, metric: row.metric, rows: new Map() });
      const found = this.#series.get(key).rows;
      const at = Date.parse(row.start);
      if (!found.has(at)) this.size += 1;
      found.set(at, { ...row, at, until: Date.parse(row.end) });
    }
  }

  /**
   * Forgets the buckets that are over by `from`, as the window moves on.
   * @param {number} from
   */
  trim(from) {
    this.#filter((row) => row.until > from);
  }

  #remove(from, to) {
    this.#filter((row) => row.at < from || row.at >= to);
  }

  #filter(keep) {
    for (const { rows } of this.#series.values()) {
      for (const [at, row] of rows) {
        if (!keep(row)) {
          rows.delete(at);
          this.size -= 1;
        }
      }
    }
  }

  /** @returns {string[]} those that have rows, in order */
  metrics() {
    const found = [...this.#series.values()].filter(({ rows }) => rows.size).map(({ metric }) => metric);
    return [...new Set(found)].sort();
  }

  /**
   * A metric's buckets with the devices side by side.
   * @param {string} metric
   * @param {(string | null)[]} devices
   * @returns {Panel}
   */
  panel(metric, devices) {
    const found = devices.map((device) => this.#series.get(`${device ?? ""}\n${metric}`)?.rows ?? new Map());
    const ends = new Map();
    for (const rows of found) for (const row of rows.values()) ends.set(row.at, row.until);
    const starts = [...ends.keys()].sort((a, b) => a - b);
    return {
      metric,
      starts,
      ends: starts.map((start) => ends.get(start)),
      columns: devices.map((device, i) => ({ device, rows: starts.map((start) => found[i].get(start) ?? null) })),
    };
  }

  /** @returns {Row[]} the newest bucket first; within it by device and metric */
  newestFirst() {
    const all = [...this.#series.values()].flatMap(({ rows }) => [...rows.values()]);
    const order = (a, b) => (a < b ? -1 : Number(a > b));
    return all.sort((a, b) => b.at - a.at || order(a.device_id ?? "", b.device_id ?? "") || order(a.metric, b.metric));
  }
}

/**
 * How exact rows are, and how settled.
 * @param {Row[]} rows
 * @returns {{rows: number, readings: number, sketches: number, maxRankError: number, open: number, late: number}}
 */
export function summary(rows) {
  const total = { rows: rows.length, readings: 0, sketches: 0, maxRankError: 0, open: 0, late: 0 };
  for (const row of rows) {
    total.readings += row.count;
    total.sketches += Number(row.method === "sketch");
    total.maxRankError = Math.max(total.maxRankError, row.max_rank_error ?? 0);
    total.open += Number(!row.final);
    total.late += row.late;
  }
  return total;
}

/**
 * The bucket that holds a moment; -1 in a gap.
 * @param {Panel} panel
 * @param {number} moment
 * @returns {number}
 */
export function bucketAt(panel, moment) {
  let low = 0;
  let high = panel.starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (panel.starts[middle] <= moment) low = middle + 1;
    else high = middle;
  }
  return low && moment < panel.ends[low - 1] ? low - 1 : -1;
}
