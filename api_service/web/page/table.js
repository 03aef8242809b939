/**
 * The rows that are shown, page by page, the newest first.
 */

import { h, write } from "./elements.js";
import { bound, counted, measured, many } from "./numbers.js";
import { written } from "./times.js";

const PAGE = 50;

export class Table {
  #element;
  #pager;
  #rows = [];
  #names = [];
  #tz = "UTC";
  #first = 0;

  /**
   * @param {HTMLElement} element
   * @param {HTMLElement} pager
   */
  constructor(element, pager) {
    this.#element = element;
    const turn = (pages) => () => {
      this.#first = Math.max(0, this.#first + pages * PAGE);
      this.#render();
    };
    this.newer = h("button", { type: "button", class: "quiet", click: turn(-1), "aria-label": "Newer rows" }, "‹");
    this.older = h("button", { type: "button", class: "quiet", click: turn(1), "aria-label": "Older rows" }, "›");
    this.range = h("span", { "aria-live": "polite" });
    pager.replaceChildren(this.range, this.newer, this.older);
    this.#pager = pager;
  }

  /**
   * @param {import("./rows.js").Row[]} rows  in the order in which they are shown
   * @param {string[]} percentiles
   * @param {string} tz
   */
  draw(rows, percentiles, tz) {
    this.#rows = rows;
    this.#tz = tz;
    this.#names = ["count", "min", "max", "avg", "sum", "stddev", ...percentiles];
    if (this.#first >= rows.length) this.#first = 0;
    this.#render();
  }

  #render() {
    const total = this.#rows.length;
    const page = this.#rows.slice(this.#first, this.#first + PAGE);
    this.newer.disabled = this.#first === 0;
    this.older.disabled = this.#first + PAGE >= total;
    this.#pager.hidden = total === 0;
    write(
      this.range,
      total > PAGE
        ? `${counted(this.#first + 1)}–${counted(this.#first + page.length)} of ${many(total, "row")}`
        : many(total, "row"),
    );
    const title = (name) =>
      h("th", { scope: "col", class: this.#names.includes(name) || name === "late" ? "number" : "" }, name);
    const names = [`start (${this.#tz})`, "device_id", "metric", ...this.#names, "late", "method", "final"];
    this.#element.replaceChildren(
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...names.map(title))),
        h("tbody", {}, ...page.map((row) => this.#row(row))),
      ),
    );
  }

  #row(row) {
    const number = (text) => h("td", { class: "number" }, text);
    return h(
      "tr",
      { class: row.final ? null : "open" },
      h("th", { scope: "row" }, h("time", { datetime: row.start }, written(row.at, this.#tz))),
      h("td", {}, row.device_id ?? "all devices"),
      h("td", {}, row.metric),
      ...this.#names.map((name) => number(name === "count" ? counted(row.count) : measured(row[name]))),
      h("td", { class: row.late ? "number late" : "number" }, counted(row.late)),
      h("td", {}, row.method === "exact" ? "exact" : `sketch ± ${bound(row.max_rank_error)}`),
      h("td", {}, row.final ? "yes" : "not yet"),
    );
  }
}
