/**
 * What is shown, to take away: the command line that asks for it, and the file.
 */

import { ApiError } from "./api.js";
import { byId, write } from "./elements.js";
import { csv, curl, download } from "./export.js";
import { asks, parameters } from "./view.js";

export class Outlets {
  #view;
  #window = {};

  /**
   * @param {import("./api.js").Api} api
   * @param {(text: string, kind?: string) => void} say
   */
  constructor(api, say) {
    byId("csv").addEventListener("click", () => this.#download(api, say));
    byId("copy").addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(byId("curl").textContent);
        say("Copied. TOKEN is to hold a token.");
      } catch {
        getSelection().selectAllChildren(byId("curl"));
        say("The browser doesn't let this page copy: the command is selected, copy it with Ctrl-C.");
      }
    });
  }

  /** @param {import("./view.js").View} view */
  draw(view) {
    this.#view = view;
    this.#window = {};
    write(byId("curl"), asks(view) ? curl(location.origin, parameters(view)) : "");
  }

  /** @param {{from: string, to: string, bucket: string}} answer  that is shown: its rows are what the file holds */
  window({ from, to, bucket }) {
    this.#window = { from, to, bucket };
  }

  async #download(api, say) {
    byId("csv").disabled = true;
    say("Downloading…", "wait");
    try {
      const file = await csv(api, parameters({ ...this.#view, ...this.#window }));
      download(
        file,
        `${
          [...this.#view.devices, ...this.#view.metrics]
            .join("_")
            .replace(/[^\w.-]+/g, "-")
            .slice(0, 80) || "all"
        }.csv`,
      );
      say("");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      say(error.text, "error");
    } finally {
      byId("csv").disabled = false;
    }
  }
}
