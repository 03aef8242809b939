/**
 * How exact statistics are and how settled, in words: pure.
 */

import { bound, counted, many } from "./numbers.js";

/**
 * @typedef {object} Statement
 * @property {string} text
 * @property {string} title  what it means
 * @property {"" | "good" | "open" | "late"} kind
 *
 * @param {ReturnType<import("./rows.js").summary>} total
 * @returns {Statement[]} none where there are no rows
 */
export function statements(total) {
  return total.rows ? [exactness(total), finality(total), lateness(total), readings(total)] : [];
}

function exactness({ rows, sketches, maxRankError }) {
  if (sketches === 0) {
    return { text: "exact", title: "All percentiles are those of the readings themselves.", kind: "good" };
  }
  const which = sketches === rows ? "sketch" : `sketch in ${counted(sketches)} of ${many(rows, "bucket")}`;
  return {
    text: `${which}, rank error ≤ ${bound(maxRankError)}`,
    title: "max_rank_error: how far off a percentile's rank can be; count, min, max and avg are exact.",
    kind: "",
  };
}

function finality({ rows, open }) {
  return {
    text: open ? `${counted(open)} of ${many(rows, "bucket")} not final` : "all final",
    title: "A bucket is final when it is over, aggregated, and nothing late waits to be added.",
    kind: open ? "open" : "",
  };
}

function lateness({ late }) {
  return {
    text: `${counted(late)} late`,
    title: "Readings that came after their bucket was first aggregated; they are counted.",
    kind: late ? "late" : "",
  };
}

const readings = (total) => ({
  text: many(total.readings, "reading"),
  title: "How many readings these statistics are of.",
  kind: "",
});
