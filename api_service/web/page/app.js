/**
 * The wiring: session → view → requests → rows → chart, legend, table.
 *
 * The fleet view is a module of its own, `fleet.js`:
 *
 *     export function mount(element, {api, go, say}) → {open(view), close()}
 *
 * - `element`: `#fleet`, an empty <section>; what is inside is the module's. It is hidden and shown from here.
 * - `api.get(path, parameters, {signal}) → Promise<object>`: JSON of this origin, with the session's token;
 *   `parameters`: pairs [[name, value], …]. Throws ApiError {status (0: no answer), title, detail, errors, retryAfter (s)}.
 *   A 401 has ended the session by then: what is on the screen stays, the log-in asks again, and `open` is called anew.
 * - `api.patient(path, parameters, {signal})`: the same, but tries again while the server is away, and says so in #status.
 * - `go(view)`: another view, a new entry of the history: go({...EMPTY, devices: ["dev-1"]}) opens the statistics of dev-1.
 * - `say(text, kind)`: #status, aria-live; kind "" | "error" | "wait"; say("") clears it.
 * - `open(view)` is called when the address says `view=fleet`, and after each change of the fragment or log-in;
 *   `view.extra`: a Map of the fragment's other members, which the fleet view may use for its own (q, sort, …).
 * - `close()`: it is hidden: stop asking.
 */
