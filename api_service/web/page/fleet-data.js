/** What the fleet view knows: every device, the latest readings and the lateness of some. */

const FIRST = [["limit", "100"]]; // of /devices: what is on the screen soon
const ROWS = [["limit", "1000"]]; // as many as every server allows
const AT_ONCE = 100; // device ids in a question
const LATE_OLD_MS = 120_000;
const SHOWN_MS = 500;

export class Fleet {
  devices = []; // as fleet-rows.js has them
  complete = false; // whether all of them have been loaded once
  readings = new Map(); // device id → { metric: value }; null: the token may not read them
  #lateness = new Map(); // device id → { late, count, asked: ms }
  #ahead = 0; // ms that the server's clock is ahead of ours

  /** `changed` is called when there is more to show. */
  constructor(api, changed) {
    this.api = api;
    this.changed = changed;
  }

  /** Epoch ms by the server's clock. */
  get now() {
    return Date.now() + this.#ahead;
  }

  /** Reads all devices; the first time they are shown as they come, now and then. */
  async load(signal) {
    const found = [];
    let shown = -Infinity;
    for await (const rows of this.#pages("/devices", FIRST, signal, ROWS)) {
      for (const row of rows) {
        found.push({ id: row.device_id, seen: row.last_seen && Date.parse(row.last_seen), late: null });
      }
      if (this.complete || performance.now() - shown < SHOWN_MS) continue;
      this.#adopt(found);
      shown = performance.now();
    }
    this.complete = true;
    this.#adopt(found);
  }

  /** Asks for the latest readings of these devices, at most as many as a question may name. */
  async read(ids, signal) {
    if (this.readings === null || ids.length === 0) return;
    const found = new Map(ids.map((id) => [id, {}])); // of some, nothing may be stored any more
    try {
      for await (const rows of this.#pages("/vital-data", of(ids), signal)) {
        for (const row of rows) found.set(row.device_id, row.data_payload);
      }
      for (const [id, readings] of found) this.readings.set(id, readings);
    } catch (error) {
      if (error.status !== 403) throw error;
      this.readings = null;
    }
    this.changed();
  }

  /** Asks how many of the last day's readings came late, where that isn't known from lately. */
  async measure(ids, signal) {
    const old = performance.now() - LATE_OLD_MS;
    const wanted = ids.filter((id) => !(this.#lateness.get(id)?.asked > old));
    for (let first = 0; first < wanted.length; first += AT_ONCE) {
      await this.#measure(wanted.slice(first, first + AT_ONCE), signal);
    }
  }

  async #measure(ids, signal) {
    const found = new Map(ids.map((id) => [id, { late: 0, count: 0, asked: performance.now() }]));
    const question = [...of(ids), ["from", "-24h"], ["bucket", "none"], ["percentiles", "50"]];
    for await (const rows of this.#pages("/stats", question, signal)) {
      for (const row of rows) {
        found.get(row.device_id).late += row.late;
        found.get(row.device_id).count += row.count;
      }
    }
    for (const [id, late] of found) this.#lateness.set(id, late);
    this.#adopt(this.devices);
  }

  #adopt(devices) {
    this.devices = devices;
    for (const device of devices) device.late = this.#lateness.get(device.id) ?? null;
    this.changed();
  }

  /** Rows of a list answer, page after page; `later`: the parameters of those after the first. */
  async *#pages(path, parameters, signal, later = parameters) {
    let cursor = null;
    do {
      const question = cursor === null ? parameters : [...later, ["cursor", cursor]];
      const answer = await this.api.patient(path, question, { signal });
      if (answer.as_of) this.#ahead = Date.parse(answer.as_of) - Date.now();
      yield answer.rows;
      cursor = answer.next_cursor;
    } while (cursor !== null);
  }
}

function of(ids) {
  return ids.map((id) => ["device_id", id]);
}
