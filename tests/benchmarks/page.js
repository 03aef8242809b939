/** Put into the page before its own scripts: notes when things happened, in ms since the address was opened. */
globalThis.watch = {
  login: 0, submitted: 0, painted: 0, // first shown, sent, and the chart's first coloured pixels
  answer: null, // of a search: typed, asked, shown
};

(() => {
  const small = new OffscreenCanvas(64, 64);
  const context = small.getContext("2d", { willReadFrequently: true });

  /** Whether a line or a band is there: axes and grid are grey. */
  function coloured(canvas) {
    context.clearRect(0, 0, 64, 64);
    context.drawImage(canvas, 0, 0, 64, 64);
    const { data } = context.getImageData(0, 0, 64, 64);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      const [r, g, b, alpha] = data.slice(at, at + 4);
      if (alpha > 16 && Math.max(r, g, b) - Math.min(r, g, b) > 40) count += 1;
    }
    return count > 40;
  }

  function each() {
    const login = document.getElementById("login");
    if (!watch.login && login && !login.hidden) watch.login = performance.now();
    const canvas = document.querySelector("#chart canvas");
    if (!watch.painted && canvas?.width && coloured(canvas)) watch.painted = performance.now();
    if (!watch.painted) requestAnimationFrame(each);
  }
  requestAnimationFrame(each);
  addEventListener("submit", () => { watch.submitted ||= performance.now(); }, true);

  let stamps = null;
  watch.begin = () => {
    stamps = [];
    const frame = (now) => {
      if (!stamps) return;
      stamps.push(now);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  };
  /** Ms between frames. */
  watch.end = () => {
    const found = stamps;
    stamps = null;
    return found.slice(1).map((now, place) => now - found[place]);
  };

  watch.search = () => {
    watch.answer = { typed: 0, asked: 0, shown: 0 };
    performance.clearResourceTimings();
  };
  addEventListener("input", () => { if (watch.answer) watch.answer.typed = performance.now(); }, true);
  /** Whether the list for what was typed is on the screen. */
  watch.found = (part) => {
    const asked = performance.getEntriesByType("resource")
      .find((entry) => new URL(entry.name).searchParams.get("q") === part);
    const list = document.getElementById("device-list");
    if (!asked || list.hidden || list.getAttribute("aria-busy") === "true") return false;
    watch.answer.asked = asked.startTime;
    watch.answer.shown ||= performance.now();
    return true;
  };
})();
