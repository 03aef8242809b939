/**
 * The address bar: its fragment is the view, and each change of the view an entry of the history.
 */

import { format, parse } from "./view.js";

export class Address {
  #onView;

  /** @param {(view: import("./view.js").View) => void} onView  called after each change, but not at once */
  constructor(onView) {
    this.#onView = onView;
    // Links, the person's own edits, back and forward.
    addEventListener("hashchange", () => onView(this.view));
  }

  /** @returns {import("./view.js").View} */
  get view() {
    return parse(location.hash);
  }

  /** Why the view was gone to: "zoom", or "". */
  get reason() {
    return history.state?.reason ?? "";
  }

  /**
   * @param {import("./view.js").View} view
   * @param {string} [reason]
   */
  go(view, reason = "") {
    const fragment = format(view);
    if (fragment === location.hash) return;
    history.pushState({ reason }, "", fragment);
    this.#onView(this.view);
  }
}
