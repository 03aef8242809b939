/**
 * Where there is nothing to draw: why, and what to do.
 */

import { ApiError } from "./api.js";
import { h } from "./elements.js";
import { many } from "./numbers.js";
import { rfc3339, written } from "./times.js";

const HOUR_MS = 36e5;

export class Empty {
  #element;
  #api;
  #change;
  #failed;

  /**
   * @param {HTMLElement} element
   * @param {import("./api.js").Api} api
   * @param {(change: object) => void} change  of the view
   * @param {(error: ApiError) => void} failed
   */
  constructor(element, api, change, failed) {
    this.#element = element;
    this.#api = api;
    this.#change = change;
    this.#failed = failed;
  }

  /** No device is chosen: some to begin with. */
  async start(signal) {
    this.#show("Find a device", "Search above by any part of its id; several can be compared.");
    try {
      const { rows } = await this.#api.patient("/devices", [["limit", "8"]], { signal });
      if (rows.length === 0) {
        this.#show(
          "No device has sent anything yet",
          "Send a first event (POST /ingest, see the API's documentation), or start the simulator.",
          h("a", { href: "/docs" }, "The API's documentation"),
        );
        return;
      }
      this.#show(
        "Find a device",
        "Search above by any part of its id, or start with one of these:",
        ...rows.map((device) => this.#offer(device)),
      );
    } catch (error) {
      if (!signal.aborted && !(error instanceof ApiError)) throw error;
      if (error.status !== 401 && error instanceof ApiError) this.#failed(error);
    }
  }

  /**
   * The window's answer is there.
   * @param {import("./view.js").View} view
   * @param {number} count  of its rows
   * @param {Map<string, {last_seen: string | null}>} devices  what is known of them
   */
  rows(view, count, devices) {
    if (count) {
      this.#element.hidden = true;
      return;
    }
    const last = view.devices.map((device) => [device, devices.get(device)?.last_seen]).filter(([, seen]) => seen);
    const links = last.map(([device, seen]) => this.#last(device, Date.parse(seen), view.tz));
    this.#show("No readings in this window", "Take a longer one, or other metrics.", ...links);
  }

  /** @param {ApiError} error */
  refused(error) {
    const [title, advice] = {
      403: ["This token may not see statistics", "Log out, and log in with one that has the scope read:stats."],
      404: ["No such device", "Remove it above, and search for another."],
      422: ["This can't be asked", "Mend the field that is marked."],
    }[error.status] ?? ["No answer", "Try again in a moment."];
    this.#show(title, advice);
  }

  #offer({ device_id: device, metrics }) {
    const choose = () => this.#change({ devices: [device] });
    return h(
      "button",
      { type: "button", click: choose },
      device,
      h("span", { class: "hint" }, ` ${many(metrics.length, "metric")}`),
    );
  }

  #last(device, seen, tz) {
    const around = { from: rfc3339(seen - HOUR_MS), to: rfc3339(seen + HOUR_MS / 6), live: false };
    return h(
      "button",
      { type: "button", click: () => this.#change(around) },
      `${device} last sent at ${written(seen, tz)}`,
    );
  }

  #show(title, text, ...more) {
    this.#element.replaceChildren(h("h2", {}, title), h("p", {}, text), h("div", { class: "offers" }, ...more));
    this.#element.hidden = false;
  }
}
