/**
 * What is shown, as fields: they show the view, and each change of one asks for another.
 */

import { byId, h } from "./elements.js";
import { field, known, normalise } from "./times.js";

const FIELDS = ["device", "metric", "from", "to", "bucket", "percentiles", "tz"];
const NAMES = { device: "device_id" }; // in /stats, where it is another one
const BUCKETS = ["auto", "1m", "5m", "15m", "1h", "6h", "1d", "1w", "none"];

export class Controls {
  #onChange;
  #view;

  /** @param {(change: Partial<import("./view.js").View>) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    offer(byId("tz"), [...new Set(["UTC", own])]);
    offer(byId("bucket"), BUCKETS);
    for (const name of ["from", "to", "percentiles"]) {
      byId(name).addEventListener("change", ({ target }) => this.#typed(name, target.value));
    }
    byId("bucket").addEventListener("change", (event) => onChange({ bucket: event.target.value }));
    byId("tz").addEventListener("change", (event) => onChange({ tz: event.target.value }));
    byId("live").addEventListener("change", (event) =>
      onChange(event.target.checked ? { live: true, to: "" } : { live: false }),
    );
    byId("presets").addEventListener("click", ({ target }) => target.value && onChange({ from: target.value, to: "" }));
    byId("metric").addEventListener("change", ({ target }) =>
      onChange({ metrics: target.value ? [target.value] : [] }),
    );
    byId("controls").addEventListener("submit", (event) => event.preventDefault());
    byId("metric-add").addEventListener("change", ({ target }) => {
      onChange({ metrics: [...new Set([...this.#view.metrics, target.value])] });
    });
  }

  /**
   * @param {import("./view.js").View} view
   * @param {string[]} metrics  those that the devices have
   */
  draw(view, metrics) {
    this.#view = view;
    byId("window").classList.toggle(
      "long",
      [view.from, view.to].some((text) => text.length > 10),
    );
    for (const name of ["from", "to"]) byId(name).value = field(view[name], view.tz);
    byId("percentiles").value = view.percentiles;
    choose(byId("bucket"), view.bucket);
    choose(byId("tz"), view.tz);
    byId("live").checked = view.live && view.to === "";
    for (const preset of byId("presets").children) {
      preset.setAttribute("aria-pressed", String(preset.value === view.from && view.to === ""));
    }
    this.#metrics(view, metrics);
  }

  /** @param {{field: string}[]} errors  of the API: marks their fields, and no others */
  refused(errors) {
    for (const name of FIELDS) {
      if (errors.some(({ field: refused }) => refused === (NAMES[name] ?? name)))
        byId(name).setAttribute("aria-invalid", "true");
      else byId(name).removeAttribute("aria-invalid");
    }
  }

  #metrics(view, metrics) {
    const all = [...new Set([...metrics, ...view.metrics])].sort();
    const select = byId("metric");
    if (select.options.length - 1 !== all.length || all.some((name, i) => select.options[i + 1].value !== name)) {
      select.replaceChildren(h("option", { value: "" }, "all metrics"), ...all.map((name) => h("option", {}, name)));
    }
    select.value = view.metrics[0] ?? "";
    const more = all.filter((name) => !view.metrics.includes(name));
    byId("metric-add").replaceChildren(h("option", { value: "" }, "+"), ...more.map((name) => h("option", {}, name)));
    byId("metric-add").hidden = view.metrics.length === 0 || more.length === 0;
    const without = (name) => () => this.#onChange({ metrics: view.metrics.filter((each) => each !== name) });
    byId("metrics").replaceChildren(
      ...view.metrics
        .slice(1)
        .map((name) =>
          h(
            "li",
            {},
            h("span", {}, name),
            h("button", { type: "button", "aria-label": `Remove ${name}`, click: without(name) }, "×"),
          ),
        ),
    );
  }

  #typed(name, text) {
    const value =
      name === "percentiles"
        ? text.replace(/\s*[,;\s]\s*/g, ",").replace(/^,|,$/g, "")
        : normalise(text, this.#view.tz);
    if (name === "from") this.#onChange({ from: value || "-24h" });
    else this.#onChange({ [name]: name === "to" && value === "now" ? "" : value });
    // As it was understood, though it be the same view.
    byId(name).value = name === "percentiles" ? this.#view.percentiles : field(this.#view[name], this.#view.tz);
  }
}

function offer(select, values) {
  select.replaceChildren(...values.map((value) => h("option", {}, value)));
}

/** Chooses what the view says, though it isn't among what is offered. */
function choose(select, value) {
  if (![...select.options].some((option) => option.value === value)) {
    if (select.id === "tz" && !known(value)) return;
    select.append(h("option", {}, value));
  }
  select.value = value;
}
