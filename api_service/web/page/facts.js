/**
 * How fresh and how exact what is shown is, and which lines are drawn.
 */

import { MOST_PANELS } from "./chart.js";
import { byId, h, svg, write } from "./elements.js";
import { statements } from "./exactness.js";
import { summary } from "./rows.js";
import { duration, stamped } from "./times.js";
import { percentileNames, shown } from "./view.js";

const STATES = { live: "live", reconnecting: "reconnecting", "": "not live", "logged out": "logged out" };

export class Facts {
  #freshness = byId("freshness");
  #exactness = byId("exactness");
  #shown = byId("shown");
  #state = h("b", { class: "liveness", role: "status" });
  #asOf = h("span");
  #onShow;
  #answer = null;
  #structure = "";
  #arrived = 0;

  /** @param {(show: string) => void} onShow */
  constructor(onShow) {
    this.#onShow = onShow;
    this.#freshness.replaceChildren(this.#state, this.#asOf);
    setInterval(() => this.#tick(), 1_000);
  }

  /** @param {"" | "live" | "reconnecting" | "logged out"} state */
  state(state) {
    this.#state.dataset.state = state;
    write(this.#state, STATES[state]);
  }

  clear() {
    this.#answer = null;
    this.#structure = "";
    this.#exactness.replaceChildren();
    this.#shown.replaceChildren();
    write(this.#asOf, "");
    this.#freshness.hidden = true;
  }

  /**
   * @param {import("./view.js").View} view
   * @param {{as_of: string, bucket: string, tz: string}} answer
   * @param {import("./rows.js").Row[]} rows
   * @param {number} metrics  how many there are
   */
  draw(view, answer, rows, metrics) {
    // Between two clocks: how old an answer is counts from when it was here.
    if (answer.as_of !== this.#answer?.as_of) this.#arrived = performance.now();
    this.#answer = { as_of: answer.as_of, tz: view.tz, bucket: answer.bucket };
    this.#freshness.hidden = false;
    this.#tick();
    this.#exact(summary(rows), metrics);
    this.#toggles(view);
  }

  #tick() {
    if (!this.#answer) return;
    const { as_of: asOf, tz, bucket } = this.#answer;
    const seconds = (performance.now() - this.#arrived) / 1_000;
    const age = seconds < 5 ? "" : `, ${duration(seconds)} ago`;
    write(this.#asOf, `as of ${stamped(Date.parse(asOf), tz)} ${tz}${age} · buckets of ${bucket}`);
  }

  #exact(total, metrics) {
    const cut = { text: `${MOST_PANELS} of ${metrics} metrics drawn`, title: "Choose those to draw.", kind: "open" };
    const all = [...statements(total), ...(metrics > MOST_PANELS ? [cut] : [])];
    this.#exactness.replaceChildren(...all.map(({ text, title, kind }) => h("span", { title, class: kind }, text)));
  }

  /** One switch for each kind of line, and the key of the marks. */
  #toggles(view) {
    const drawn = shown(view);
    const names = ["band", "avg", ...percentileNames(view)];
    const structure = JSON.stringify([names, [...drawn]]);
    if (structure === this.#structure) return;
    this.#structure = structure;
    const focused = document.activeElement?.dataset?.line;
    const toggle = (name) => () =>
      this.#onShow(names.filter((each) => drawn.has(each) !== (each === name)).join(",") || "none");
    const buttons = names.map((name) =>
      h(
        "button",
        { type: "button", "data-line": name, "aria-pressed": String(drawn.has(name)), click: toggle(name) },
        name === "band" ? "min–max" : name,
      ),
    );
    this.#shown.replaceChildren(...buttons, mark("late", "late readings"), mark("open", "not final"));
    buttons.find((button) => button.dataset.line === focused)?.focus();
  }
}

function mark(kind, text) {
  const picture = {
    late: [svg("path", { d: "M6 2l5 8H1z" })],
    open: [svg("path", { d: "M0 8L8 0M0 12L12 0M4 12L12 4" })],
  }[kind];
  return h(
    "span",
    { class: `mark-key ${kind}` },
    svg("svg", { width: 12, height: 12, viewBox: "0 0 12 12", "aria-hidden": "true" }, ...picture),
    text,
  );
}
