/**
 * Questions to this origin's API, with the session's token.
 */

/** An answer that isn't one: `status` 0 where none came. `detail` and `errors` are the problem details'. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {{title?: string, detail?: string, errors?: {field: string, detail: string}[]}} problem
   * @param {number} [retryAfter] seconds
   */
  constructor(status, problem, retryAfter = 0) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    this.status = status;
    this.title = problem.title ?? "";
    this.detail = this.message;
    this.errors = problem.errors ?? [];
    this.retryAfter = retryAfter;
  }

  /** Whether the same question may be answered later. */
  get passes() {
    return [0, 429, 502, 503, 504].includes(this.status);
  }

  /** What it is, in one sentence or a few. */
  get text() {
    return this.errors.map(({ field, detail }) => `${field}: ${detail}.`).join(" ") || this.detail;
  }
}

const AWAY = { title: "No answer", detail: "The server doesn't answer." };

export class Api {
  #session;
  #say;

  /**
   * @param {import("./session.js").Session} session
   * @param {(text: string, kind?: string) => void} say
   */
  constructor(session, say) {
    this.#session = session;
    this.#say = say;
  }

  /**
   * @param {string} path
   * @param {[string, string][]} parameters
   * @param {{signal?: AbortSignal, headers?: Record<string, string>}} [options]
   * @returns {Promise<Response>} of status 200 or 304
   * @throws {ApiError} 401 has ended the session by then
   */
  async ask(path, parameters, { signal, headers = {} } = {}) {
    const token = this.#session.token;
    const query = new URLSearchParams(parameters).toString();
    const response = await reach(query ? `${path}?${query}` : path, {
      signal,
      headers: { ...headers, Authorization: `Bearer ${token}` },
      credentials: "omit",
      cache: "no-store",
    });
    if (response.ok || response.status === 304) {
      this.#session.proven = true;
      return response;
    }
    const error = await failure(response);
    if (error.status === 401) this.#session.end(error.detail, token);
    throw error;
  }

  /**
   * The JSON of an answer.
   * @param {string} path
   * @param {[string, string][]} [parameters]
   * @param {{signal?: AbortSignal, headers?: Record<string, string>}} [options]
   * @returns {Promise<any>}
   */
  async get(path, parameters = [], options = {}) {
    const response = await this.ask(path, parameters, options);
    return response.json();
  }

  /**
   * As `ask`, but while the server is away or busy it keeps trying, and says so.
   * @param {string} path
   * @param {[string, string][]} [parameters]
   * @param {{signal?: AbortSignal, headers?: Record<string, string>}} [options]
   * @returns {Promise<Response>}
   */
  async insist(path, parameters = [], options = {}) {
    for (let tries = 0; ; tries += 1) {
      try {
        const response = await this.ask(path, parameters, options);
        if (tries) this.#say("");
        return response;
      } catch (error) {
        if (!(error instanceof ApiError) || !error.passes) throw error;
        const seconds = Math.max(error.retryAfter, pause(tries) / 1_000);
        this.#say(`${error.detail} Trying again in ${Math.ceil(seconds)} s.`, "wait");
        await wait(seconds * 1_000, options.signal);
      }
    }
  }

  /**
   * As `get`, but while the server is away or busy it keeps trying, and says so.
   * @param {string} path
   * @param {[string, string][]} [parameters]
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<any>}
   */
  async patient(path, parameters = [], options = {}) {
    return (await this.insist(path, parameters, options)).json();
  }
}

/**
 * A token for a client of the built-in issuer (OAuth 2 client credentials).
 * @param {string} id
 * @param {string} secret
 * @returns {Promise<string>}
 * @throws {ApiError}
 */
export async function tokenFor(id, secret) {
  const body = new URLSearchParams({ grant_type: "client_credentials", client_id: id, client_secret: secret });
  const response = await reach("/auth/token", { method: "POST", body, credentials: "omit", cache: "no-store" });
  if (response.ok) return (await response.json()).access_token;
  if (response.status === 404) {
    throw new ApiError(404, { detail: "Tokens come from another issuer here: log in with a token." });
  }
  throw await failure(response);
}

/**
 * How long to wait before the next try: longer each time, and not for all at once.
 * @param {number} tries  before this one
 * @param {number} [first]  milliseconds
 * @param {number} [chance]  0 to 1
 * @returns {number} milliseconds
 */
export function pause(tries, first = 1_000, chance = Math.random()) {
  return Math.min(15_000, first * 2 ** Math.min(tries, 10)) * (0.75 + chance / 2);
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>} rejected when the signal says so; over at once when the network comes back
 */
export function wait(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const over = new AbortController();
    const end = (done) => () => {
      clearTimeout(timer);
      over.abort();
      done(signal?.reason);
    };
    const timer = setTimeout(end(resolve), milliseconds);
    signal?.addEventListener("abort", end(reject), { signal: over.signal });
    addEventListener("online", end(resolve), { signal: over.signal });
  });
}

/** A response, whatever it is; nothing but an ApiError of status 0 where none comes. */
async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, AWAY);
  }
}

async function failure(response) {
  let problem = {};
  try {
    const body = await response.json();
    problem = body.error ? { title: body.error, detail: body.error_description ?? body.error } : body;
  } catch {
    problem = { title: response.statusText, detail: `The server answered ${response.status}.` };
  }
  return new ApiError(response.status, problem, Number(response.headers.get("Retry-After")) || 0);
}
