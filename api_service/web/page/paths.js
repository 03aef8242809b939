/**
 * How buckets are drawn: a value holds from its bucket's start to its end, so lines are steps, and where there is no
 * reading there is nothing.
 */

/**
 * A line of steps.
 * @param {() => import("./rows.js").Panel} panel
 * @returns {(u: any, series: number, first: number, last: number) => object} for a series of uPlot
 */
export const steps = (panel) => (u, series, first, last) => {
  const stroke = new Path2D();
  const values = u.data[series];
  for (const [from, to] of runs(panel(), values, first, last)) trace(u, stroke, panel(), values, from, to, "moveTo");
  return { stroke, fill: null, clip: null, gaps: null, flags: 0 };
};

/**
 * The area between a series and the next one.
 * @param {() => import("./rows.js").Panel} panel
 * @returns {(u: any, series: number, first: number, last: number) => object}
 */
export const band = (panel) => (u, series, first, last) => {
  const fill = new Path2D();
  for (const [from, to] of runs(panel(), u.data[series], first, last)) {
    trace(u, fill, panel(), u.data[series], from, to, "moveTo");
    trace(u, fill, panel(), u.data[series + 1], to, from, "lineTo");
    fill.closePath();
  }
  return { stroke: null, fill, clip: null, gaps: null, flags: 0 };
};

/** Buckets that follow each other without a gap: their first and last. */
function* runs(panel, values, first, last) {
  for (let from = first; from <= last; from += 1) {
    if (values[from] == null) continue;
    let to = from;
    while (to < last && panel.ends[to] === panel.starts[to + 1] && values[to + 1] != null) to += 1;
    yield [from, to];
    from = to;
  }
}

/** Along the buckets from one to another, backwards too. */
function trace(u, path, panel, values, from, to, begin) {
  const [near, far] = from <= to ? [panel.starts, panel.ends] : [panel.ends, panel.starts];
  const forward = from <= to ? 1 : -1;
  for (let i = from; i !== to + forward; i += forward) {
    const y = u.valToPos(values[i], "y", true);
    path[i === from ? begin : "lineTo"](u.valToPos(near[i], "x", true), y);
    path.lineTo(u.valToPos(far[i], "x", true), y);
  }
}
