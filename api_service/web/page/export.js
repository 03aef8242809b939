/**
 * The same for elsewhere: the `curl` that asks it, and the answer as CSV.
 */

/**
 * The command line, for a shell that has the token in TOKEN.
 * @param {string} origin
 * @param {[string, string][]} parameters
 * @returns {string}
 */
export function curl(origin, parameters) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const lines = parameters.map(([name, value]) => `  --data-urlencode ${quoted(`${name}=${value}`)}`);
  return [`curl --get ${quoted(`${origin}/stats`)}`, `  --header "Authorization: Bearer $TOKEN"`, ...lines].join(
    " \\\n",
  );
}

/**
 * All pages of the CSV as one file.
 * @param {import("./api.js").Api} api
 * @param {[string, string][]} parameters
 * @returns {Promise<Blob>}
 */
export async function csv(api, parameters) {
  const parts = [];
  let path = "/stats";
  let query = parameters;
  while (path) {
    const response = await api.insist(path, query, { headers: { Accept: "text/csv" } });
    const text = await response.text();
    parts.push(parts.length ? text.slice(text.indexOf("\n") + 1) : text);
    path = next(response.headers.get("Link"));
    query = [];
  }
  return new Blob(parts, { type: "text/csv" });
}

/**
 * The path of the next page (RFC 8288); "" after the last.
 * @param {string | null} link
 * @returns {string}
 */
export function next(link) {
  return /<([^>]+)>\s*;\s*rel="?next"?/.exec(link ?? "")?.[1] ?? "";
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
