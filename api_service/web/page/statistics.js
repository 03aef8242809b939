/**
 * The statistics view: what its window holds is asked for once, then followed; charts, legend, table and facts show it.
 */

import { ApiError } from "./api.js";
import { Charts, MOST_PANELS } from "./chart.js";
import { Controls } from "./controls.js";
import { Devices } from "./devices.js";
import { byId } from "./elements.js";
import { Empty } from "./empty.js";
import { Facts } from "./facts.js";
import { Legend } from "./legend.js";
import { live } from "./live.js";
import { Outlets } from "./outlets.js";
import { Rows } from "./rows.js";
import { Table } from "./table.js";
import { ago, back, dragged, extent, known, rfc3339, widened } from "./times.js";
import { asks, format, moves, parameters, percentileNames, shown } from "./view.js";
import { read } from "./window.js";

export class Statistics {
  #api;
  #say;
  #address;
  #rows = new Rows();
  #asking = new AbortController();
  #metrics = new Map(); // rows of /devices by id
  /** @type {import("./view.js").View} */
  #view;
  #answer = null;
  #drawings = [];
  #later = 0;
  #charts;
  #controls;
  #devices;
  #facts;
  #empty;
  #outlets;
  #legend = new Legend(byId("legend"));
  #table = new Table(byId("table"), byId("pager"));

  /**
   * @param {object} parts
   * @param {import("./api.js").Api} parts.api
   * @param {(text: string, kind?: string) => void} parts.say
   * @param {import("./address.js").Address} parts.address
   */
  constructor({ api, say, address }) {
    this.#api = api;
    this.#say = say;
    this.#address = address;
    const change = (members) => address.go({ ...this.#view, ...members });
    this.#charts = new Charts(byId("chart"), {
      onZoom: (from, to) => this.#zoom(from, to),
      onWiden: () => this.#widen(),
      onPoint: (moment, byKey) => this.#point(moment, byKey),
    });
    this.#controls = new Controls(change);
    const elements = { input: byId("device"), list: byId("device-list"), chips: byId("devices") };
    this.#devices = new Devices(elements, api, {
      onAdd: (device) => change({ devices: [...this.#view.devices, device], group: "device" }),
      onTogether: () => change({ devices: [], group: "none" }),
      onFound: (found) => found.forEach((device) => this.#metrics.set(device.device_id, device)),
      onRemove: (device) => change({ devices: this.#view.devices.filter((each) => each !== device), group: "device" }),
      say,
    });
    this.#facts = new Facts((show) => change({ show }));
    this.#empty = new Empty(byId("empty"), api, change, (error) => this.#failed(error));
    this.#outlets = new Outlets(api, say);
  }

  /** @param {import("./view.js").View} view */
  open(view) {
    if (this.#answer && this.#view.show !== view.show && same({ ...this.#view, show: view.show }, view)) {
      this.#view = view; // other lines of what is there
      this.#draw();
      return;
    }
    this.close();
    this.#view = view;
    this.#controls.draw(view, this.#known());
    this.#controls.refused([]);
    this.#devices.draw(columns(view));
    this.#outlets.draw(view);
    if (!asks(view)) {
      this.clear();
      this.#empty.start(this.#asking.signal);
      return;
    }
    const window = extent(view.from, view.to, Date.now());
    if (window) this.#charts.window(...window);
    this.#load(view, this.#asking.signal);
  }

  /**
   * Stops asking.
   * @param {"" | "logged out"} [state]  what is to be said of what is shown
   */
  close(state = "") {
    this.#asking.abort();
    this.#asking = new AbortController();
    this.#facts.state(state);
    this.#busy(false);
  }

  /** Forgets what is shown. */
  clear() {
    this.#rows.replace([]);
    this.#answer = null;
    this.#drawings = [];
    this.#charts.draw([]);
    this.#legend.clear();
    this.#table.draw([], [], "UTC");
    byId("data").hidden = true;
    this.#facts.clear();
    this.#busy(false);
  }

  /** Draws again what is there, in other colours. */
  redraw() {
    if (this.#answer) this.#draw();
    if (this.#view) this.#devices.draw(columns(this.#view));
  }

  async #load(view, signal) {
    this.#busy(true);
    this.#learn(view, signal);
    try {
      const answer = await read(this.#api, parameters(view), signal);
      this.#take(answer);
      const cut = `These are the first ${answer.rows.length} rows: choose fewer metrics, less time or a wider bucket.`;
      this.#say(answer.cut ? cut : "", "fact");
      this.#busy(false);
      if (view.live && moves(view) && view.bucket !== "none") await this.#follow(view, answer, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#failed(error);
    }
  }

  #follow(view, answer, signal) {
    return live(
      { api: this.#api, view, answer, signal },
      {
        onAnswer: (whole) => this.#take(whole),
        onChange: (event) => this.#changed(view, event),
        onState: (state) => this.#facts.state(state),
        say: this.#say,
      },
    );
  }

  #failed(error) {
    if (!(error instanceof ApiError)) throw error;
    this.#busy(false);
    this.#facts.state("");
    if (error.status === 401) return; // the log-in says it
    this.#say(error.text, "error");
    this.#controls.refused(error.errors);
    // A field that can't be used takes nothing away; what may not be seen does.
    if (error.status !== 422) this.clear();
    if (!this.#answer) this.#empty.refused(error);
  }

  #take(answer) {
    this.#answer = answer;
    this.#rows.replace(answer.rows);
    this.#draw();
    this.#outlets.window(answer);
    this.#controls.draw(this.#view, this.#known());
  }

  #changed(view, event) {
    const length = back(view.from);
    const now = Date.parse(event.as_of);
    const from = length === null ? Date.parse(this.#answer.from) : now - length;
    this.#rows.merge(event);
    this.#rows.trim(from);
    this.#answer = { ...this.#answer, as_of: event.as_of, from: rfc3339(from), to: rfc3339(now) };
    this.#draw();
    this.#outlets.window(this.#answer);
  }

  #draw() {
    const view = this.#view;
    const [from, to] = [Date.parse(this.#answer.from), Date.parse(this.#answer.to)];
    const metrics = this.#rows.metrics();
    const percentiles = percentileNames(view);
    const common = { percentiles, shown: shown(view), from, to, tz: known(view.tz) ? view.tz : "UTC" };
    this.#drawings = metrics
      .slice(0, MOST_PANELS)
      .map((metric) => ({ ...common, panel: this.#rows.panel(metric, columns(view)) }));
    const rows = this.#rows.newestFirst();
    this.#empty.rows(view, rows.length, this.#metrics);
    byId("data").hidden = rows.length === 0;
    byId("shown").hidden = rows.length === 0;
    this.#charts.draw(this.#drawings);
    this.#legend.draw(this.#drawings, this.#charts.moment ?? null);
    this.#facts.draw(view, this.#answer, rows, metrics.length);
    // The chart is on the screen before the table is made.
    cancelAnimationFrame(this.#later);
    this.#later = requestAnimationFrame(() => this.#table.draw(rows, percentiles, common.tz));
  }

  #point(moment, byKey) {
    if (!this.#drawings.length) return;
    const said = this.#legend.point(moment);
    if (byKey) byId("readout").textContent = said;
  }

  #zoom(from, to) {
    const [start, end] = dragged(from, to);
    this.#address.go({ ...this.#view, from: rfc3339(start), to: rfc3339(end), live: false }, "zoom");
  }

  /** Back out of a zoom; where there was none, twice the window. */
  #widen() {
    if (this.#address.reason === "zoom") return history.back();
    const length = back(this.#view.from);
    if (length !== null && moves(this.#view)) return this.#address.go({ ...this.#view, from: ago(2 * length) });
    if (!this.#answer) return undefined;
    const [from, to] = widened(Date.parse(this.#answer.from), Date.parse(this.#answer.to), Date.now());
    return this.#address.go({ ...this.#view, from: rfc3339(from), to: rfc3339(to) });
  }

  /** Which metrics the devices have, to choose from: asked for beside the statistics, once. */
  async #learn(view, signal) {
    const unknown = view.devices.filter((device) => !this.#metrics.has(device));
    // Looked for as one would by hand: a device's own page has its lateness too, which takes far longer.
    const answers = unknown.map((device) =>
      this.#api.get(
        "/devices",
        [
          ["q", device],
          ["limit", "50"],
        ],
        { signal },
      ),
    );
    for (const { value } of await Promise.allSettled(answers)) {
      for (const device of value?.rows ?? []) this.#metrics.set(device.device_id, device);
    }
    if (!signal.aborted && unknown.length) {
      this.#controls.draw(this.#view, this.#known());
      if (this.#answer) this.#empty.rows(view, this.#rows.size, this.#metrics);
    }
  }

  #known() {
    const ofDevices = this.#view.devices.flatMap((device) => this.#metrics.get(device)?.metrics ?? []);
    return [...new Set([...ofDevices, ...this.#rows.metrics()])];
  }

  #busy(busy) {
    byId("chart").setAttribute("aria-busy", String(busy));
  }
}

const same = (one, other) => format(one) === format(other);

/** @returns {(string | null)[]} whom a view compares; null: all together */
function columns(view) {
  return view.group === "none" ? [null] : view.devices;
}
