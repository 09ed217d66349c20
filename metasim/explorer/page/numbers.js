// Numbers as readers see them.

export function percent(share) {
  return share === null || share === undefined ? "–" : (100 * share).toFixed(1);
}

export function interval(low, high, form = percent) {
  return low === null || low === undefined ? "" : `${form(low)}–${form(high)}`;
}

const minus = (text) => text.replace("-", "\u2212");

export function points(difference) {
  if (difference === null || difference === undefined) return "–";
  const value = (100 * difference).toFixed(1);
  return minus((Number(value) > 0 ? "+" : "") + value);
}

export function short(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) {
    const [front, power] = value.toExponential(1).split("e");
    const times = front === "1.0" ? "" : `${minus(front.replace(/\.0$/, ""))}×`;
    return `${times}10${raised(Number(power))}`;
  }
  if (size >= 100) return Math.round(value).toLocaleString("en");
  return minus(String(Number(value.toPrecision(size >= 10 ? 3 : 2))));
}

function raised(power) {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  return (power < 0 ? "⁻" : "") + [...String(Math.abs(power))].map((d) => digits[d]).join("");
}

export const count = (n) => Number(n).toLocaleString("en");

// A value that a knob may take, with as many digits as tell it apart.
export function plain(value) {
  if (!Number.isFinite(value)) return "";
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e6 || size < 1e-4) ? value.toExponential().replace("e+", "e") : String(value);
}
