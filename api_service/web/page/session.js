/**
 * Who is logged in: a token in this tab's memory, and nowhere else.
 */

/** The token, and who wants to know when there is another or none. */
export class Session {
  #token = "";
  #listeners = [];
  /** Why the last one ended; "" while one lasts or before the first. */
  why = "";
  /** Whether anything was answered since the person logged in: then there is something on the screen to stay. */
  proven = false;

  get token() {
    return this.#token;
  }

  get open() {
    return this.#token !== "";
  }

  /** @param {string} token */
  begin(token) {
    this.#token = token;
    this.why = "";
    this.#tell();
  }

  /**
   * @param {string} why  what to tell the person; "": they ended it themselves
   * @param {string} [token]  only if it is still this one that is used
   */
  end(why, token = this.#token) {
    if (!this.open || token !== this.#token) return;
    this.#token = "";
    this.why = why;
    if (!why) this.proven = false;
    this.#tell();
  }

  /** @param {() => void} listener  called after each begin and end */
  listen(listener) {
    this.#listeners.push(listener);
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}

/**
 * A token as it is sent, of what was pasted: a whole header's value too.
 * @param {string} text
 * @returns {string}
 */
export const bare = (text) => text.trim().replace(/^Bearer\s+/i, "");

/**
 * Whose token it is, for showing only: nothing is decided by it.
 * @param {string} token
 * @returns {string} "" where it doesn't say
 */
export function subject(token) {
  try {
    const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    return String(JSON.parse(new TextDecoder().decode(bytes)).sub ?? "");
  } catch {
    return ""; // an opaque token is as good
  }
}
