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
 * @param {string} [etag]  of what is there already
 * @returns {Promise<any>} an answer of /stats with all its rows, its `etag` and whether it was `cut`; null: nothing has changed
 */
export async function read(api, parameters, signal, etag = "") {
  const headers = etag ? { "If-None-Match": etag } : {};
  const asked = [...parameters, ["limit", PAGE]];
  const response = await (etag ? api.ask : api.insist).call(api, "/stats", asked, { signal, headers });
  if (response.status === 304) return null;
  const answer = await response.json();
  answer.etag = response.headers.get("ETag") ?? "";
  while (answer.next_cursor && answer.rows.length < MOST_ROWS) {
    const page = await api.patient("/stats", [["cursor", answer.next_cursor], ["limit", PAGE]], { signal });
    answer.rows.push(...page.rows);
    answer.next_cursor = page.next_cursor;
    answer.etag = ""; // it was the first page's
  }
  answer.cut = answer.next_cursor !== null;
  return answer;
}
