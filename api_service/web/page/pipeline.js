/**
 * How the pipeline does, always visible: events a second from two looks at /pipeline, and how far aggregation
 * is behind.
 */

import { ApiError } from "./api.js";
import { byId, h, write } from "./elements.js";
import { counted, rate } from "./numbers.js";
import { duration } from "./times.js";

const EVERY_MS = 5_000;
const FIRST_MS = 1_500; // a rate needs two looks
// A minute is aggregated when it is over: less than two is how it should be.
const SLOW_S = 150;
const STUCK_S = 600;

export class Pipeline {
  #element = byId("pipeline");
  #api;
  #before = null;
  #timer = 0;
  #asking = new AbortController();
  #rate = h("b");
  #behind = h("b");
  #dot = h("i", { class: "dot", "aria-hidden": "true" });

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.#api = api;
    this.#element.replaceChildren(
      this.#dot,
      h("span", { title: "Events persisted a second, over the last seconds" }, this.#rate, " events/s"),
      h("span", { title: "How far the 1-minute statistics are behind the clock" }, "aggregation ", this.#behind),
    );
    document.addEventListener("visibilitychange", () => this.#timer && !document.hidden && this.start());
  }

  start() {
    this.stop();
    this.#timer = 1;
    this.#look(this.#asking.signal);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#asking.abort();
    this.#asking = new AbortController();
  }

  async #look(signal) {
    const pause = this.#before ? EVERY_MS : FIRST_MS;
    try {
      this.#show(await this.#api.get("/pipeline", [], { signal }));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      // A token for some devices may not see it; without it, the page is as good.
      if (!error.passes) {
        this.#element.hidden = true;
        return;
      }
      this.#element.classList.add("stale");
    }
    if (!document.hidden) this.#timer = setTimeout(() => this.#look(signal), pause);
  }

  #show(now) {
    const minute = now.aggregation.levels.find(({ level }) => level === "1m") ?? now.aggregation.levels[0];
    const behind = minute?.behind_seconds ?? null;
    const rates = this.#before && ratePerSecond(this.#before, now);
    if (rates !== null) write(this.#rate, rate(rates));
    else if (!this.#before) write(this.#rate, "…");
    write(this.#behind, behind === null ? "not yet" : `${duration(behind)} behind`);
    this.#dot.dataset.level = behind === null || behind > STUCK_S ? "bad" : behind > SLOW_S ? "slow" : "good";
    const { events, dead_letters: dead, duplicates } = now.ingestion;
    const totals = [
      `${counted(events)} events so far`,
      `${counted(duplicates)} duplicates`,
      `${counted(dead)} dead letters`,
    ];
    this.#element.title = totals.join(", ");
    this.#element.classList.remove("stale");
    this.#element.hidden = false;
    this.#before = now;
  }
}

/**
 * Events a second between two answers of /pipeline; null where they can't tell.
 * @param {{as_of: string, ingestion: {events: number}}} before
 * @param {{as_of: string, ingestion: {events: number}}} now
 * @returns {number | null}
 */
export function ratePerSecond(before, now) {
  const seconds = (Date.parse(now.as_of) - Date.parse(before.as_of)) / 1_000;
  const events = now.ingestion.events - before.ingestion.events;
  return seconds > 0 && events >= 0 ? events / seconds : null;
}
