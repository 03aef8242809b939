/** Put into the page before its own scripts: notes when things happened, in ms since the address was opened. */
globalThis.watch = {
  login: 0, submitted: 0, painted: 0, // first shown, sent, and the chart's first coloured pixels
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

  /** Resolves with what `look` finds, asked once a frame. */
  function found(look) {
    return new Promise((resolve) => {
      const each = () => {
        const it = look();
        if (it) resolve(it);
        else requestAnimationFrame(each);
      };
      requestAnimationFrame(each);
    });
  }

  found(() => {
    const login = document.getElementById("login");
    return login && !login.hidden && (watch.login = performance.now());
  });
  watch.drawn = found(() => {
    const canvas = document.querySelector("#chart canvas");
    return canvas?.width && coloured(canvas) && (watch.painted = performance.now());
  });
  addEventListener("submit", () => { watch.submitted ||= performance.now(); }, true);

  /** When the log-in was sent, when the fleet's first rows were there, and when its summary began like that. */
  watch.fleet = async (whole) => {
    const first = await found(() => document.querySelector("#fleet tbody tr") && performance.now());
    const all = await found(() =>
      document.getElementById("fleet-summary")?.textContent.startsWith(whole) && performance.now());
    return [watch.submitted, first, all];
  };

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

  let typed = 0;
  addEventListener("input", () => { typed = performance.now(); }, true);
  watch.search = () => performance.clearResourceTimings();
  /** When the part was typed, asked for, and when the list of its devices was on the screen. */
  watch.found = (part) => found(() => {
    const asked = performance.getEntriesByType("resource")
      .find((entry) => entry.responseEnd && new URL(entry.name).searchParams.get("q") === part);
    const list = document.getElementById("device-list");
    const first = list.querySelector("[role=option] .id, .note")?.textContent ?? "";
    if (!asked || list.hidden || !(first.includes(part) || first.startsWith("No device"))) return null;
    return { typed, asked: asked.startTime, shown: performance.now() };
  });
})();
