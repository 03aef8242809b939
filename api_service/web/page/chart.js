/**
 * The charts, one a metric, which share window and pointer.
 */

import { h, write } from "./elements.js";
import { measured } from "./numbers.js";
import { isDark } from "./palette.js";
import { Plot, size } from "./plot.js";
import { bucketAt } from "./rows.js";

/** More metrics at once aren't drawn: the page says so. */
export const MOST_PANELS = 12;

/** @typedef {import("./plot.js").Drawing} Drawing */

export class Charts {
  #element;
  #told;
  #panels = [];
  #frame = 0;

  /**
   * @param {HTMLElement} element
   * @param {object} told
   * @param {(from: number, to: number) => void} told.onZoom  dragged
   * @param {() => void} told.onWiden  double-clicked, or Backspace
   * @param {(moment: number | null, byKey: boolean) => void} told.onPoint  once a frame at most
   */
  constructor(element, told) {
    this.#element = element;
    this.#told = told;
    new ResizeObserver(() => this.#resize()).observe(element);
  }

  /**
   * @param {Drawing[]} drawings  one a metric
   */
  draw(drawings) {
    const structure = JSON.stringify([isDark(), drawings.map(shape)]);
    if (structure !== this.structure) this.#build(drawings);
    else drawings.forEach((drawing, i) => this.#panels[i].plot.update(drawing));
    this.structure = structure;
    this.#panels.forEach((panel) => describe(panel));
    this.#heads(this.moment ?? null);
  }

  /** Shows what is there in another window, until there is more. */
  window(from, to) {
    this.#panels.forEach(({ plot }) => plot.window(from, to));
  }

  #resize() {
    const sizes = this.#panels.map(({ place }) => size(place));
    this.#panels.forEach(({ plot }, i) => plot.resize(sizes[i]));
  }

  #build(drawings) {
    this.#panels.forEach(({ plot }) => plot.destroy());
    this.#element.classList.toggle("single", drawings.length === 1);
    this.#panels = drawings.map((drawing) => {
      const value = h("span", { class: "value" });
      const place = h("div", { class: "plot" });
      const figure = h(
        "figure",
        { class: "panel", tabindex: "0", role: "application", "aria-roledescription": "chart" },
        h("figcaption", {}, h("h2", {}, drawing.panel.metric), value),
        place,
      );
      figure.addEventListener("keydown", (event) => this.#key(event, panel));
      const panel = { figure, place, value, plot: null };
      return panel;
    });
    this.#element.replaceChildren(...this.#panels.map(({ figure }) => figure));
    // All sizes are read before the first chart is made: one layout, not one a chart.
    const told = { ...this.#told, onPoint: (moment) => this.#point(moment, false) };
    const sizes = this.#panels.map(({ place }) => size(place));
    this.#panels.forEach((panel, i) => (panel.plot = new Plot(panel.place, sizes[i], drawings[i], told)));
  }

  #point(moment, byKey) {
    this.moment = moment;
    this.byKey = byKey;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#panels.forEach(({ plot }) => plot.point(this.moment));
      this.#heads(this.moment);
      this.#told.onPoint(this.moment, this.byKey);
    });
  }

  /** Each chart's own read-out: its devices' averages. */
  #heads(moment) {
    for (const { plot, value } of this.#panels) {
      const { panel } = plot.drawing;
      const i = moment === null ? panel.starts.length - 1 : bucketAt(panel, moment);
      const values = i < 0 ? [] : panel.columns.map(({ rows }) => measured(rows[i]?.avg));
      write(value, values.length > 3 ? "" : values.join("  ·  "));
    }
  }

  #key(event, panel) {
    const { panel: buckets } = panel.plot.drawing;
    const last = buckets.starts.length - 1;
    const here = this.moment == null ? last + 1 : nearest(buckets, this.moment);
    const there = {
      ArrowLeft: here - 1,
      ArrowRight: here + 1,
      PageUp: here - 24,
      PageDown: here + 24,
      Home: 0,
      End: last,
    }[event.key];
    if (event.key === "Backspace" || event.key === "-") this.#told.onWiden();
    else if (event.key === "+" && this.moment != null) this.#closer(panel.plot.drawing);
    else if (event.key === "Escape") this.#point(null, true);
    else if (there !== undefined && last >= 0) this.#point(buckets.starts[Math.min(last, Math.max(0, there))], true);
    else return;
    event.preventDefault();
  }

  /** Half the window about the bucket that is pointed at. */
  #closer({ from, to }) {
    const quarter = (to - from) / 4;
    this.#told.onZoom(this.moment - quarter, this.moment + quarter);
  }
}

/** What a chart is built anew for. */
function shape({ panel, percentiles, shown, tz }) {
  return [panel.metric, panel.columns.map(({ device }) => device), percentiles, [...shown], tz];
}

function describe({ figure, plot }) {
  const { panel } = plot.drawing;
  const who = panel.columns.map(({ device }) => device ?? "all devices together").join(", ");
  const label = `${panel.metric} of ${who}: ${panel.starts.length} buckets. Arrow keys read them, plus and minus zoom.`;
  if (figure.getAttribute("aria-label") !== label) figure.setAttribute("aria-label", label);
}

/** The bucket that holds a moment, or the last one before it. */
function nearest(panel, moment) {
  return panel.starts.findLastIndex((start) => start <= moment);
}
