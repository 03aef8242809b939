/**
 * Server-sent events from text that comes in pieces (HTML standard, 9.2.6): pure.
 *
 * @typedef {{type: string, data: string, id: string}} ServerEvent
 */

/**
 * A parser; each piece of text gives the events that it completes.
 * @param {(milliseconds: number) => void} onRetry  told how long to wait before connecting again
 * @returns {(text: string) => ServerEvent[]}
 */
export function createParser(onRetry) {
  let rest = "";
  let afterReturn = false;
  let type = "";
  let data = [];
  let id = "";

  function line(text, events) {
    if (text === "") {
      if (data.length) events.push({ type: type || "message", data: data.join("\n"), id });
      type = "";
      data = [];
      return;
    }
    const colon = text.indexOf(":");
    if (colon === 0) return; // a comment: the server's heartbeat
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (field === "event") type = value;
    else if (field === "data") data.push(value);
    else if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "retry" && /^\d+$/.test(value)) onRetry(Number(value));
  }

  return (text) => {
    const events = [];
    // A line ends with CR, LF or both, which two pieces may share.
    const fresh = afterReturn && text.startsWith("\n") ? text.slice(1) : text;
    if (text) afterReturn = text.endsWith("\r");
    const lines = (rest + fresh).split(/\r\n|\r|\n/);
    rest = lines.pop();
    for (const each of lines) line(each, events);
    return events;
  };
}
