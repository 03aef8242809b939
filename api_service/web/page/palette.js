/**
 * Colours and dashes of the devices, dark and light, and whether it is dark.
 *
 * The colours differ in lightness too, and each has its own dash: they can be told apart without seeing colour.
 */

/** As many devices can be told apart in one chart. */
export const MOST_DEVICES = 8;

const LIGHT = ["#0a5fb4", "#c2410c", "#047857", "#86309a", "#7a5c00", "#0e7490", "#be185d", "#44403c"];
const DARK = ["#60a8f8", "#fb8c4e", "#34d0a0", "#d491ec", "#e3bd3f", "#4fd1e8", "#fb83b4", "#d0ccc6"];
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [14, 4], [4, 2, 1, 2], [5, 5], [1, 2]];

const PAPER = {
  light: { text: "#57534e", grid: "#e9e7e2", axis: "#c9c5bd", late: "#b45309", hatch: "#78716c", select: "#0a5fb4" },
  dark: { text: "#a8a29e", grid: "#26292d", axis: "#3b3f45", late: "#fbbf24", hatch: "#8b8680", select: "#60a8f8" },
};

const system = matchMedia("(prefers-color-scheme: dark)");

/** Whether the page is dark: as the system says, unless it was switched here. */
export const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

/**
 * What the chart is drawn with.
 * @returns {{colours: string[], text: string, grid: string, axis: string, late: string, hatch: string, select: string}}
 */
export const ink = () => ({ colours: isDark() ? DARK : LIGHT, ...(isDark() ? PAPER.dark : PAPER.light) });

/**
 * @param {number} device  its number in the chart
 * @returns {number[]} lengths in pixels; empty: a solid line
 */
export const dash = (device) => DASHES[device % DASHES.length];

/**
 * The button that switches; forgotten when the page is left.
 * @param {HTMLButtonElement} button
 * @param {() => void} onChange
 */
export function themeSwitch(button, onChange) {
  const show = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    onChange();
  };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    show();
  });
  system.addEventListener("change", show);
  show();
}
