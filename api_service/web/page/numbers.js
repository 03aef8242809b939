/**
 * Numbers as people read them: pure.
 */

const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const scientific = new Intl.NumberFormat("en", { notation: "scientific", maximumSignificantDigits: 5 });

/**
 * A measured value to six digits.
 * @param {number | null | undefined} value
 * @returns {string}
 */
export function measured(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e9 || size < 1e-4) ? scientific.format(value) : plain.format(value);
}

/**
 * @param {number} value
 * @returns {string}
 */
export const counted = (value) => whole.format(value);

/**
 * A rate: few digits, as it moves.
 * @param {number} value
 * @returns {string}
 */
export const rate = (value) => (value < 10 ? plain.format(Math.round(value * 10) / 10) : whole.format(value));

/**
 * A share of 1 as a percentage, rounded up: it is a bound.
 * @param {number} share
 * @returns {string}
 */
export const bound = (share) => `${plain.format(Math.ceil(share * 1e5) / 1e3)} %`;

/**
 * `1 row`, `2 rows`.
 * @param {number} count
 * @param {string} noun
 * @returns {string}
 */
export const many = (count, noun) => `${counted(count)} ${noun}${count === 1 ? "" : "s"}`;
