/**
 * What is marked in a chart beside its values: buckets that aren't final, late readings, and which line is which.
 */

/**
 * Hatches the buckets that aren't final, below everything else.
 * @param {any} u
 * @param {import("./rows.js").Panel} panel
 * @param {string} colour
 */
export function hatch(u, panel, colour) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  let any = false;
  panel.starts.forEach((start, i) => {
    if (!panel.columns.some(({ rows }) => rows[i] && !rows[i].final)) return;
    const [left, right] = edges(u, panel, i, start);
    ctx.rect(left, bbox.top, right - left, bbox.height);
    any = any || right > left;
  });
  if (any) {
    ctx.clip();
    lines(ctx, bbox, colour);
  }
  ctx.restore();
}

/**
 * Marks the buckets with late readings at the bottom.
 * @param {any} u
 * @param {import("./rows.js").Panel} panel
 * @param {string} colour
 */
export function late(u, panel, colour) {
  const { ctx, bbox } = u;
  const bottom = bbox.top + bbox.height;
  const unit = devicePixelRatio;
  ctx.save();
  ctx.fillStyle = colour;
  panel.starts.forEach((start, i) => {
    if (!panel.columns.some(({ rows }) => rows[i]?.late > 0)) return;
    const [left, right] = edges(u, panel, i, start);
    if (right <= left) return;
    const middle = (left + right) / 2;
    const half = Math.min(3.5 * unit, Math.max(unit, (right - left) / 2 - unit / 2));
    ctx.beginPath();
    ctx.moveTo(middle, bottom - 2 * half);
    ctx.lineTo(middle + half, bottom);
    ctx.lineTo(middle - half, bottom);
    ctx.fill();
  });
  ctx.restore();
}

/**
 * Names the lines at their right ends, those first that come first; one that would lie on another is left out.
 * @param {any} u
 * @param {{name: string, series: number, colour: string}[]} lines
 */
export function names(u, lines) {
  const { ctx, bbox } = u;
  const unit = devicePixelRatio;
  const taken = [];
  ctx.save();
  ctx.font = `${11 * unit}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  for (const { name, series, colour } of lines) {
    const value = u.data[series].findLast((each) => each != null);
    if (value === undefined) continue;
    const y = u.valToPos(value, "y", true);
    const hidden = y < bbox.top || y > bbox.top + bbox.height || taken.some((other) => Math.abs(other - y) < 12 * unit);
    if (hidden) continue;
    taken.push(y);
    ctx.fillStyle = colour;
    ctx.fillText(name, bbox.left + bbox.width + 6 * unit, y);
  }
  ctx.restore();
}

/** The bucket's left and right end on the canvas, within the plot. */
function edges(u, panel, i, start) {
  const { left, width } = u.bbox;
  const within = (moment) => Math.min(left + width, Math.max(left, u.valToPos(moment, "x", true)));
  return [within(start), within(panel.ends[i])];
}

function lines(ctx, { left, top, width, height }, colour) {
  const step = 7 * devicePixelRatio;
  ctx.beginPath();
  for (let x = left - height; x < left + width; x += step) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
  }
  ctx.globalAlpha = 0.22;
  ctx.lineWidth = devicePixelRatio;
  ctx.strokeStyle = colour;
  ctx.stroke();
}
