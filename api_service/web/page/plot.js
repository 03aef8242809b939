/**
 * One chart: a metric of one or several devices, with uPlot.
 */

import uPlot from "./uPlot.esm.js";
import { axes } from "./axes.js";
import * as marks from "./marks.js";
import { ink, dash } from "./palette.js";
import { band, steps } from "./paths.js";
import { bucketAt } from "./rows.js";

/**
 * @typedef {object} Drawing  what a chart shows
 * @property {import("./rows.js").Panel} panel
 * @property {string[]} percentiles  names of those that may be drawn
 * @property {Set<string>} shown  of "band", "avg" and the percentiles
 * @property {number} from
 * @property {number} to
 * @property {string} tz
 */

/** A uPlot, and the bucket that is marked in it. */
export class Plot {
  /**
   * @param {HTMLElement} element
   * @param {{width: number, height: number}} size
   * @param {Drawing} drawing
   * @param {object} told
   * @param {(from: number, to: number) => void} told.onZoom
   * @param {() => void} told.onWiden
   * @param {(moment: number | null) => void} told.onPoint
   */
  constructor(element, size, drawing, told) {
    this.drawing = drawing;
    this.mark = document.createElement("div");
    this.mark.className = "mark";
    this.u = new uPlot({ ...size, ...this.#options(told) }, this.#data(), element);
    this.u.over.append(this.mark);
    // A finger that moves sideways reads; up and down it scrolls.
    for (const type of ["touchstart", "touchmove"]) {
      this.u.over.addEventListener(type, ({ touches }) => told.onPoint(this.#moment(touches[0].clientX)), {
        passive: true,
      });
    }
  }

  /** @param {Drawing} drawing  of the same devices and lines */
  update(drawing) {
    this.drawing = drawing;
    this.u.setData(this.#data());
    this.point(this.moment ?? null);
  }

  /** Only the window is another one: what is there is shown in it, until there is more. */
  window(from, to) {
    this.drawing = { ...this.drawing, from, to };
    this.u.setScale("x", { min: from, max: to });
    this.point(null);
  }

  /** @param {{width: number, height: number}} size */
  resize({ width, height }) {
    if (width && (width !== this.u.width || height !== this.u.height)) this.u.setSize({ width, height });
  }

  /**
   * Marks the bucket that holds a moment. Only transforms change: nothing is laid out.
   * @param {number | null} moment
   */
  point(moment) {
    this.moment = moment;
    const { panel } = this.drawing;
    const i = moment === null ? -1 : bucketAt(panel, moment);
    if (i < 0) {
      this.mark.style.transform = "scaleX(0)";
      return;
    }
    const width = this.u.bbox.width / devicePixelRatio;
    const within = (position) => Math.min(width, Math.max(0, position));
    const left = within(this.u.valToPos(panel.starts[i], "x"));
    const right = within(this.u.valToPos(panel.ends[i], "x"));
    this.mark.style.transform = `translateX(${left}px) scaleX(${Math.max(1, right - left)})`;
  }

  destroy() {
    this.u.destroy();
  }

  #data() {
    const { panel, percentiles } = this.drawing;
    const columns = panel.columns.flatMap(({ rows }) =>
      ["max", "min", ...percentiles, "avg"].map((name) => rows.map((row) => row?.[name] ?? null)),
    );
    return [panel.starts, ...columns];
  }

  #options({ onZoom, onWiden, onPoint }) {
    const colours = ink();
    const current = () => this.drawing.panel;
    const series = this.#series(colours, current);
    const lines = this.#lines(series);
    return {
      ms: 1,
      tzDate: (moment) => uPlot.tzDate(new Date(moment), this.drawing.tz === "UTC" ? "Etc/UTC" : this.drawing.tz),
      padding: [8, lines.length ? 36 : 24, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: true, range: () => [this.drawing.from, this.drawing.to] },
        y: { range: { min: { pad: 0.06 }, max: { pad: 0.06 } } },
      },
      axes: axes(this.drawing.tz, colours),
      series,
      cursor: {
        x: false,
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false, dist: 6 },
        bind: { dblclick: () => () => onWiden() },
      },
      hooks: {
        drawClear: [(u) => marks.hatch(u, current(), colours.hatch)],
        draw: [(u) => marks.late(u, current(), colours.late), (u) => marks.names(u, lines)],
        setCursor: [(u) => onPoint(u.cursor.left < 0 ? null : u.posToVal(u.cursor.left, "x"))],
        setSelect: [(u) => this.#selected(u, onZoom)],
      },
    };
  }

  #series(colours, panel) {
    const { percentiles, shown, panel: first } = this.drawing;
    const many = first.columns.length > 1;
    const each = first.columns.flatMap((_, device) => {
      const stroke = colours.colours[device % colours.colours.length];
      const line = { stroke, paths: steps(panel), points: { show: false }, dash: dash(device) };
      return [
        {
          show: shown.has("band"),
          fill: stroke + (many ? "1c" : "26"),
          width: 0,
          paths: band(panel),
          points: { show: false },
        },
        { show: shown.has("band"), paths: () => null, points: { show: false } },
        ...percentiles.map((name) => ({
          ...line,
          label: name,
          show: shown.has(name),
          width: 1,
          alpha: name === "p50" ? 0.9 : 0.6,
        })),
        { ...line, label: "avg", show: shown.has("avg"), width: 2 },
      ];
    });
    return [{}, ...each];
  }

  /** Of one device, the lines that are named at their ends: avg first, then the outer percentiles. */
  #lines(series) {
    if (this.drawing.panel.columns.length !== 1) return [];
    return series
      .map(({ label, show, stroke }, number) => ({ name: label, show, series: number, colour: stroke }))
      .filter(({ name, show }) => name && show)
      .reverse();
  }

  #moment(x) {
    return this.u.posToVal(x - this.u.rect.left, "x");
  }

  #selected(u, onZoom) {
    const { left, width } = u.select;
    if (width > 0) {
      u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      onZoom(u.posToVal(left, "x"), u.posToVal(left + width, "x"));
    }
  }
}

/** The room for a chart. */
export function size(element) {
  return { width: element.clientWidth, height: element.clientHeight };
}
