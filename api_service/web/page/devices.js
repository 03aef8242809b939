/**
 * Finding devices: a combobox (ARIA 1.2) whose list is searched for while one types, and chips of those that are shown.
 */

import { ApiError } from "./api.js";
import { h } from "./elements.js";
import { MOST_DEVICES } from "./palette.js";
import { key } from "./legend.js";

const PAUSE_MS = 150;
const FOUND = 20;
const TOGETHER = { device_id: null, metrics: ["statistics across devices"] };

export class Devices {
  #api;
  #told;
  #input;
  #list;
  #chips;
  #found = [];
  #active = -1;
  #timer = 0;
  #failed = false;
  #search = new AbortController();

  /**
   * @param {{input: HTMLInputElement, list: HTMLElement, chips: HTMLElement}} elements
   * @param {import("./api.js").Api} api
   * @param {object} told
   * @param {(device: string) => void} told.onAdd
   * @param {() => void} told.onTogether  all devices together
   * @param {(device: string | null) => void} told.onRemove
   * @param {(rows: object[]) => void} told.onFound  rows of /devices
   * @param {(text: string, kind?: string) => void} told.say
   */
  constructor({ input, list, chips }, api, told) {
    this.#api = api;
    this.#told = told;
    this.#input = input;
    this.#list = list;
    this.#chips = chips;
    input.addEventListener("input", () => this.#later());
    input.addEventListener("focus", () => this.#later(0));
    input.addEventListener("click", () => list.hidden && this.#later(0));
    input.addEventListener("blur", () => this.#close());
    input.addEventListener("keydown", (event) => this.#key(event));
    // A press would take the focus away, and the list with it, before it is a click.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.#choose(this.#found[option.dataset.number].device_id);
    });
  }

  /** @param {(string | null)[]} shown  null: all devices together */
  draw(shown) {
    this.shown = shown;
    this.#chips.replaceChildren(
      ...shown.map((device, i) => {
        const name = device ?? "all devices";
        const remove = { type: "button", "aria-label": `Remove ${name}`, click: () => this.#told.onRemove(device) };
        return h("li", {}, key(i), h("span", {}, name), h("button", remove, "×"));
      }),
    );
  }

  #later(milliseconds = PAUSE_MS) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), milliseconds);
  }

  /** Asks for the ids that hold what is typed; only the last question's answer counts. */
  async #look() {
    this.#search.abort();
    const { signal } = (this.#search = new AbortController());
    const text = this.#input.value.trim();
    try {
      const answer = await this.#api.get("/devices", [...(text ? [["q", text]] : []), ["limit", String(FOUND)]], {
        signal,
      });
      if (this.#failed) this.#told.say("");
      this.#failed = false;
      this.#told.onFound(answer.rows);
      this.#show(
        text || !answer.rows.length ? best(answer.rows, text) : [TOGETHER, ...answer.rows],
        answer.next_cursor !== null,
      );
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.#close();
      if (error.status === 401) return;
      this.#failed = true;
      this.#told.say(error.text, "error");
    }
  }

  #show(found, more) {
    this.#found = found;
    const options = found.map((device, i) =>
      h(
        "li",
        { role: "option", id: `found-${i}`, "data-number": i, "aria-selected": "false" },
        h("span", { class: "id" }, device.device_id ?? "all devices together"),
        h("span", { class: "hint" }, device.metrics.join(", ")),
      ),
    );
    const note = found.length === 0 ? "No device has this in its id." : more ? "There are more: type on." : null;
    this.#list.replaceChildren(...options, ...(note ? [h("li", { role: "presentation", class: "note" }, note)] : []));
    this.#open(document.activeElement === this.#input);
    this.#mark(-1);
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      if (this.#list.hidden) this.#later(0);
      else
        this.#mark(
          (this.#active + step + this.#found.length + (this.#active < 0 && step < 0 ? 1 : 0)) %
            (this.#found.length || 1),
        );
    } else if (event.key === "Enter") this.#enter();
    else if (event.key === "Escape" && !this.#list.hidden) this.#close();
    else if (event.key === "Escape") this.#input.value = "";
    else if (event.key === "Backspace" && this.#input.value === "" && this.shown.length)
      this.#told.onRemove(this.shown.at(-1));
    else return;
    if (event.key !== "Backspace") event.preventDefault();
  }

  /** What is marked; or else what was typed, once the search for it is back. */
  async #enter() {
    if (this.#active >= 0) return this.#choose(this.#found[this.#active].device_id);
    const text = this.#input.value.trim();
    if (!text) return undefined;
    clearTimeout(this.#timer);
    await this.#look();
    const chosen =
      this.#found.find(({ device_id: id }) => id === text) ?? (this.#found.length === 1 ? this.#found[0] : null);
    if (chosen && this.#input.value.trim() === text) this.#choose(chosen.device_id);
    return undefined;
  }

  #choose(device) {
    this.#input.value = "";
    this.#close();
    if (this.shown.includes(device)) return;
    if (device !== null && this.shown.length >= MOST_DEVICES) {
      this.#told.say(`${MOST_DEVICES} devices can be told apart in one chart: remove one first.`, "error");
    } else if (device === null) this.#told.onTogether();
    else this.#told.onAdd(device);
  }

  #mark(number) {
    this.#active = number;
    [...this.#list.querySelectorAll("[role=option]")].forEach((option, i) =>
      option.setAttribute("aria-selected", String(i === number)),
    );
    const option = number < 0 ? null : this.#list.children[number];
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.#input.setAttribute("aria-activedescendant", option.id);
    else this.#input.removeAttribute("aria-activedescendant");
  }

  #open(open) {
    this.#list.hidden = !open;
    this.#input.setAttribute("aria-expanded", String(open));
  }

  #close() {
    clearTimeout(this.#timer);
    this.#search.abort();
    this.#open(false);
    this.#mark(-1);
  }
}

/** An id that is the text comes first, then those that begin with it. */
function best(rows, text) {
  const rank = ({ device_id: id }) => (id === text ? 0 : id.startsWith(text) ? 1 : 2);
  return [...rows].sort((a, b) => rank(a) - rank(b));
}
