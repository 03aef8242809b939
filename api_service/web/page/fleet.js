/**
 * The fleet view: every device with its last event; latest readings and lateness of those that are looked at.
 *
 * /devices is read to its end, again and again, at most a twentieth of the time: so a small fleet is some seconds old,
 * and a large one doesn't burden the database. Readings are asked for the page that is shown. Lateness is asked for
 * that page first and then for the devices that follow, so that most fleets can be sorted by it.
 */

import { Fleet } from "./fleet-data.js";
import { PAGE, arranged, choices, seconds, summary } from "./fleet-rows.js";
import { build, choose, show, tell, turn } from "./fleet-table.js";

const LATE_FOR = 1_000; // devices whose lateness is asked for without being looked at
const PAUSE_MS = 10_000;
const SHARE = 20;
const TYPING_MS = 200;

export function mount(element, { api, say }) {
  const fleet = new Fleet(api, render);
  const parts = build(element, changed, (step) => changed({ page: chosen.page + step }));
  let chosen = choices(new Map());
  let left = []; // the devices that are chosen, in order: made once for each change, a large fleet takes a while
  let running = null;
  let timer = 0;
  let soon = 0;
  let told = false; // that something is wrong

  function open(view) {
    chosen = choices(view.extra);
    choose(parts, chosen);
    render();
    clearTimeout(soon);
    if (running === null) run();
    else soon = setTimeout(() => running && look(running.signal), TYPING_MS);
  }

  function close() {
    running?.abort();
    running = null;
    clearTimeout(timer);
    clearTimeout(soon);
    fleet.readings ??= new Map(); // the next token may be allowed to
  }

  async function run() {
    const own = (running ??= new AbortController());
    const began = performance.now();
    await attempt(async () => {
      await fleet.load(own.signal);
      await look(own.signal);
      await fleet.measure(names(left.slice(0, LATE_FOR)), own.signal);
    });
    if (running === own) timer = setTimeout(() => wake(own), Math.max(PAUSE_MS, SHARE * (performance.now() - began)));
  }

  /** On with it, once somebody looks. */
  function wake(own) {
    if (running !== own) return;
    if (document.visibilityState === "visible") run();
    else document.addEventListener("visibilitychange", () => wake(own), { once: true });
  }

  async function attempt(work) {
    try {
      await work();
      if (told) say("");
      told = false;
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 401) {
        close(); // the log-in is open; `open` follows it
        return;
      }
      say(error.text ?? String(error), "error");
      told = true;
    }
  }

  function look(signal) {
    const shown = names(page());
    return attempt(() => Promise.all([fleet.read(shown, signal), fleet.measure(shown, signal)]));
  }

  function names(devices) {
    return devices.map((device) => device.id);
  }

  function page() {
    return left.slice((chosen.page - 1) * PAGE, chosen.page * PAGE);
  }

  function render() {
    const { now, readings, complete, devices } = fleet;
    left = arranged(devices, chosen, now);
    if (complete) chosen.page = Math.min(chosen.page, Math.max(1, Math.ceil(left.length / PAGE)));
    show(parts, page(), { now, limit: seconds(chosen.silent), readings });
    turn(parts, chosen.page, left.length);
    tell(parts, summary(fleet, left, chosen), { nothing: complete && left.length === 0, devices: devices.length });
  }

  /** What was chosen goes to the address, so that it can be shared; it is no new entry of the history. */
  function changed(choice) {
    const parameters = new URLSearchParams(location.hash.slice(1));
    for (const [name, value] of Object.entries({ page: 1, ...choice })) {
      if (value === "" || (name === "page" && value === 1)) parameters.delete(name);
      else parameters.set(name, value);
    }
    history.replaceState(null, "", `#${parameters}`);
    open({ extra: new Map(parameters) });
  }

  return { open, close };
}
