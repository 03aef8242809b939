/**
 * A window that moves on: the stream tells of its newest buckets, and the whole is asked for again now and then, as
 * late readings may change any bucket of it.
 */

import { ApiError } from "./api.js";
import { follow } from "./stream.js";
import { parameters } from "./view.js";
import { read } from "./window.js";

const REFRESH_MS = 60_000;

/**
 * Goes on until the signal says so.
 *
 * @param {object} parts
 * @param {import("./api.js").Api} parts.api
 * @param {import("./view.js").View} parts.view
 * @param {{bucket: string, etag: string}} parts.answer  what is there
 * @param {AbortSignal} parts.signal
 * @param {object} told
 * @param {(answer: any) => void} told.onAnswer  a whole window
 * @param {(event: any) => void} told.onChange  of the stream
 * @param {(state: "live" | "reconnecting") => void} told.onState
 * @param {(text: string, kind?: string) => void} told.say
 * @returns {Promise<void>} rejected as `follow` is
 */
export async function live({ api, view, answer, signal }, { onAnswer, onChange, onState, say }) {
  let { etag } = answer;
  let heard = 0;
  let trouble = false;

  async function refresh() {
    try {
      const whole = await read(api, parameters(view), signal, etag);
      // One that the stream has overtaken would take back what it told.
      if (!whole || Date.parse(whole.as_of) < heard) return;
      etag = whole.etag;
      onAnswer(whole);
    } catch (error) {
      // The stream says what is wrong, if it is.
      if (!signal.aborted && !(error instanceof ApiError)) throw error;
    }
  }

  function changed(event) {
    if (trouble) say("");
    trouble = false;
    heard = Date.parse(event.as_of);
    onChange(event);
  }

  function troubled(detail) {
    trouble = true;
    say(detail, "wait");
  }

  const timer = setInterval(refresh, REFRESH_MS);
  const asked = parameters({ ...view, bucket: answer.bucket }).filter(([name]) => name !== "from");
  try {
    await follow(api, asked, { onStats: changed, onState, onTrouble: troubled }, signal);
  } finally {
    clearInterval(timer);
  }
}
