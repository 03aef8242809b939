/**
 * The wiring: session → view → requests → rows → charts, legend, table.
 *
 * The fleet view is a module of its own, `fleet.js`, loaded when it is first looked at:
 *
 *     export function mount(element, {api, go, say}) → {open(view), close()}
 *
 * - `element`: `#fleet`, an empty <section>; what is inside is the module's. It is hidden and shown from here.
 * - `api.get(path, parameters, {signal}) → Promise<object>`: JSON of this origin, with the session's token;
 *   `parameters`: pairs [[name, value], …]. Throws ApiError {status (0: no answer), title, detail, errors,
 *   retryAfter (s)}.
 *   A 401 has ended the session by then: what is on the screen stays, the log-in asks again, and `open` is called anew.
 * - `api.patient(path, parameters, {signal})`: the same, but tries again while the server is away, and says so in
 *   #status.
 * - `go(view)`: another view, a new entry of the history: go({...EMPTY, devices: ["dev-1"]}) opens the
 *   statistics of dev-1.
 * - `say(text, kind)`: #status, aria-live; kind "" (goes away by itself) | "fact" | "error" | "wait";
 *   say("") clears it.
 * - `open(view)` is called when the address says `view=fleet`, and after each change of the fragment or log-in;
 *   `view.extra`: a Map of the fragment's other members, which the fleet view may use for its own (q, sort, …).
 * - `close()`: it is hidden: stop asking.
 */

import { Address } from "./address.js";
import { Api } from "./api.js";
import { byId, write } from "./elements.js";
import { login } from "./login.js";
import { themeSwitch } from "./palette.js";
import { Pipeline } from "./pipeline.js";
import { Session } from "./session.js";
import { Statistics } from "./statistics.js";
import { format } from "./view.js";

const NOTE_MS = 6_000;
let fading = 0;

/** Says it in #status; a mere note ("") goes away by itself. */
function say(text, kind = "") {
  clearTimeout(fading);
  if (text && !kind) fading = setTimeout(say, NOTE_MS, "");
  byId("status").dataset.kind = text ? kind : "";
  write(byId("status"), text);
}

const session = new Session();
const api = new Api(session, say);
const pipeline = new Pipeline(api);
const address = new Address(show);
const statistics = new Statistics({ api, say, address });
const go = (view) => address.go(view);
let fleet = null;

/** Shows what the address says, to those who are logged in. */
async function show(view) {
  const name = view.name;
  for (const each of ["statistics", "fleet"]) {
    byId(each).hidden = each !== name;
    if (each === name) byId(`nav-${each}`).setAttribute("aria-current", "page");
    else byId(`nav-${each}`).removeAttribute("aria-current");
  }
  if (name === "statistics") byId("nav-statistics").href = format(view);
  document.title = `${title(view)}Plumbline`;
  if (!session.open) return;
  if (name === "statistics") {
    fleet?.close();
    statistics.open(view);
    return;
  }
  statistics.close();
  fleet ??= (await import("./fleet.js")).mount(byId("fleet"), { api, go, say });
  if (address.view.name === "fleet" && session.open) fleet.open(address.view);
}

function title(view) {
  if (view.name === "fleet") return "Fleet – ";
  const names = [...view.devices, ...view.metrics];
  return names.length ? `${names.join(", ")} – ` : "";
}

session.listen(() => {
  if (session.open) {
    byId("main").hidden = false;
    say("");
    pipeline.start();
    show(address.view);
    return;
  }
  pipeline.stop();
  statistics.close("logged out");
  fleet?.close();
  say("");
  if (session.proven) return; // what is on the screen stays
  byId("main").hidden = true;
  byId("pipeline").hidden = true;
  statistics.clear();
  byId("fleet").replaceChildren();
  fleet = null;
});

// The fragment is the view: a link to a place in the page must not take its place.
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("chart").focus();
});
login(session);
themeSwitch(byId("theme"), () => statistics.redraw());
show(address.view);
