/**
 * A window's statistics, all pages of them.
 */

const PAGE = "5000";
// As many rows are drawn without anyone having to wait; who wants more has the CSV.
const MOST_ROWS = 40_000;

/**
 * @param {import("./api.js").Api} api
 * @param {[string, string][]} parameters
 * @param {AbortSignal} signal
 * @param {string | null} [etag]  of what is there already ("": it has none); then it is tried once, and not insisted on
 * @returns {Promise<any>} an answer of /stats with all its rows, its `etag` and whether it was `cut`; null: nothing new
 */
export async function read(api, parameters, signal, etag = null) {
  const headers = etag ? { "If-None-Match": etag } : {};
  const ask = (pairs) =>
    api[etag === null ? "insist" : "ask"]("/stats", [...pairs, ["limit", PAGE]], { signal, headers });
  const response = await ask(parameters);
  if (response.status === 304) return null;
  const answer = await response.json();
  answer.etag = response.headers.get("ETag") ?? "";
  while (answer.next_cursor && answer.rows.length < MOST_ROWS) {
    const page = await (await ask([["cursor", answer.next_cursor]])).json();
    answer.rows.push(...page.rows);
    answer.next_cursor = page.next_cursor;
    answer.etag = ""; // it was the first page's
  }
  answer.cut = answer.next_cursor !== null;
  return answer;
}
