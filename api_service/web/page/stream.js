/**
 * What changes, as it changes: /stats/stream, read with fetch (an EventSource can't send a token) and taken up again
 * where it broke off.
 */

import { ApiError, pause, wait } from "./api.js";
import { createParser } from "./sse.js";

// The server says something every 15 s; who has heard nothing for so long has lost it.
const SILENCE_MS = 40_000;

/**
 * @typedef {object} Told
 * @property {(event: {as_of: string, from: string, to: string, complete: boolean, rows: object[]}) => void} onStats
 * @property {(state: "live" | "reconnecting") => void} onState
 * @property {(detail: string) => void} onTrouble  the server is there, but can't look: it goes on by itself
 */

/**
 * Follows the stream until `signal` says so, whatever happens to the connection.
 *
 * @param {import("./api.js").Api} api
 * @param {[string, string][]} parameters
 * @param {Told} told
 * @param {AbortSignal} signal
 * @returns {Promise<void>} rejected with the signal's reason, or with an ApiError that trying again doesn't mend
 */
export async function follow(api, parameters, told, signal) {
  const place = { id: "", retry: 2_000, tries: 0 };
  for (;;) {
    try {
      await listen(api, parameters, told, place, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ApiError) || !error.passes) throw error;
      place.retry = Math.max(place.retry, error.retryAfter * 1_000);
    }
    told.onState("reconnecting");
    await wait(pause(place.tries, place.retry), signal);
    place.tries += 1;
  }
}

/** One connection, to its end. */
async function listen(api, parameters, told, place, signal) {
  const connection = new AbortController();
  const end = () => connection.abort();
  signal.addEventListener("abort", end, { signal: connection.signal });
  let silent = setTimeout(end, SILENCE_MS);
  try {
    const headers = { Accept: "text/event-stream", ...(place.id && { "Last-Event-ID": place.id }) };
    const response = await api.ask("/stats/stream", parameters, { signal: connection.signal, headers });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const events = createParser((milliseconds) => (place.retry = milliseconds));
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(silent);
      silent = setTimeout(end, SILENCE_MS);
      for (const event of events(value)) take(event, told, place);
    }
  } catch (error) {
    signal.throwIfAborted();
    // A connection that broke, or that we gave up, is a server that doesn't answer.
    throw error instanceof ApiError ? error : new ApiError(0, { detail: "The stream broke off." });
  } finally {
    clearTimeout(silent);
    end();
  }
}

function take(event, told, place) {
  if (event.id) place.id = event.id;
  if (event.type === "stats") {
    place.tries = 0;
    told.onState("live");
    told.onStats(JSON.parse(event.data));
  } else if (event.type === "trouble") {
    told.onTrouble(JSON.parse(event.data).detail);
  }
  // After an "end" the server closes; who comes again hears why, as from each other route.
}
