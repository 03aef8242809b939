/**
 * What the bucket under the pointer says, or without one the newest: a row for each device of each chart.
 */

import { h, svg, write } from "./elements.js";
import { bound, counted, measured } from "./numbers.js";
import { dash, ink } from "./palette.js";
import { bucketAt } from "./rows.js";
import { written } from "./times.js";

const LAST = ["count", "method", "late", "state"];

export class Legend {
  #element;
  #drawings = [];
  #cells = [];
  #structure = "";
  #title = h("caption");

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  clear() {
    this.#element.replaceChildren();
    this.#drawings = [];
    this.#cells = [];
    this.#structure = "";
  }

  /**
   * @param {import("./plot.js").Drawing[]} drawings
   * @param {number | null} moment
   */
  draw(drawings, moment) {
    if (drawings.length === 0) {
      this.clear();
      return;
    }
    this.#drawings = drawings;
    const structure = JSON.stringify([
      ink().text,
      drawings.map(({ panel, percentiles }) => [panel.metric, percentiles, panel.columns.map(({ device }) => device)]),
    ]);
    if (structure !== this.#structure) this.#build(drawings);
    this.#structure = structure;
    this.point(moment);
  }

  /**
   * @param {number | null} moment
   * @returns {string} what a screen reader says of it
   */
  point(moment) {
    const shown = moment ?? Math.max(...this.#drawings.map(({ panel }) => panel.starts.at(-1) ?? -Infinity));
    let bucket = null;
    const said = [];
    this.#cells.forEach(({ panel: number, column, names, cells }) => {
      const { panel } = this.#drawings[number];
      const i = bucketAt(panel, shown);
      const row = i < 0 ? null : panel.columns[column].rows[i];
      bucket ??= i < 0 ? null : [panel.starts[i], panel.ends[i]];
      names.forEach((name, each) => write(cells[each], text(name, row)));
      cells[0].parentElement.classList.toggle("open", row !== null && !row.final);
      if (row) said.push(spoken(row));
    });
    const { tz } = this.#drawings[0] ?? { tz: "UTC" };
    const when = bucket ? `${span(bucket, tz)} ${tz}` : `${written(shown, tz)}: no readings`;
    write(this.#title, `${moment === null ? "Newest bucket: " : ""}${when}`);
    return `${when}: ${said.join("; ") || "none"}`;
  }

  #build(drawings) {
    this.#cells = [];
    const { percentiles } = drawings[0] ?? { percentiles: [] };
    const names = ["avg", "min", "max", ...percentiles, ...LAST];
    const body = h("tbody");
    drawings.forEach(({ panel }, number) => {
      panel.columns.forEach(({ device }, column) => {
        const cells = names.map((name) => h("td", { class: name === "method" || name === "state" ? "" : "number" }));
        this.#cells.push({ panel: number, column, names, cells });
        const title = h("th", { scope: "row" }, key(column), device ?? "all devices");
        body.append(h("tr", {}, title, h("td", { class: "metric" }, panel.metric), ...cells));
      });
    });
    const head = ["device", "metric", ...names].map((name) =>
      h("th", { scope: "col", class: `${heads(name)} ${name}` }, name),
    );
    const table = h("table", {}, this.#title, h("thead", {}, h("tr", {}, ...head)), body);
    this.#element.replaceChildren(table);
  }
}

/**
 * A device's line as it is in the charts.
 * @param {number} device
 * @returns {SVGElement}
 */
export function key(device) {
  const { colours } = ink();
  return svg(
    "svg",
    { class: "key", width: 26, height: 10, viewBox: "0 0 26 10", "aria-hidden": "true" },
    svg("line", {
      x1: 0,
      y1: 5,
      x2: 26,
      y2: 5,
      "stroke-width": 2.5,
      stroke: colours[device % colours.length],
      "stroke-dasharray": dash(device).join(" ") || "none",
    }),
  );
}

function text(name, row) {
  if (!row) return "–";
  if (name === "count" || name === "late") return counted(row[name]);
  if (name === "method") return row.method === "exact" ? "exact" : `sketch, rank ± ${bound(row.max_rank_error)}`;
  if (name === "state") return row.final ? "final" : "not final";
  return measured(row[name]);
}

function heads(name) {
  return ["device", "metric", "method", "state"].includes(name) ? "" : "number";
}

function spoken(row) {
  return `${row.device_id ?? "all devices"} ${row.metric} average ${measured(row.avg)}, ${row.count} readings`;
}

/** A bucket's start and end; of the same day, only the end's time. */
function span([from, to], tz) {
  const [start, end] = [written(from, tz), written(to, tz)];
  return `${start} – ${start.slice(0, 10) === end.slice(0, 10) ? end.slice(11) : end}`;
}
