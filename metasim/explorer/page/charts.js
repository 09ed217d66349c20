// Curves and bars as SVG: steps with bands, axes with units, a list of what is which, a table behind.

import { h, ink, s, show } from "./dom.js";
import { percent, short } from "./numbers.js";

const HEIGHT = 250, LEFT = 44, RIGHT = 12, TOP = 10, BOTTOM = 36;

function ticks(most, wanted = 6) {
  if (!(most > 0)) return [0, 1];
  const rough = most / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const out = [];
  for (let k = 0; k * step <= most * 1.0001; k++) out.push(Number((k * step).toPrecision(6)));
  return out;
}

const floor = (share) => Math.max(0, Math.floor(10 * share) / 10);

// series: label, colour, dash, x, y, low, high, faint; y is a share.
export function curves(place, { title, series, x_label, from_top = false }) {
  const width = Math.max(280, place.clientWidth || 420);
  const span = Math.max(...series.map((one) => one.x[one.x.length - 1] || 0), 1e-9);
  const seen = series.flatMap((one) => one.high || one.y).filter((value) => value !== null);
  const top = from_top ? 1 : Math.min(1, 1.05 * Math.max(...seen, 0.01));
  const bottom = from_top ? floor(Math.min(...series.flatMap((one) => one.low || one.y).filter((v) => v !== null))) : 0;
  const X = (x) => LEFT + ((width - LEFT - RIGHT) * x) / span;
  const Y = (y) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (y - bottom) / (top - bottom || 1));
  const svg = s("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": said(title, series), class: "chart" });
  axes(svg, width, ticks(span), ticks(top - bottom, 5).map((t) => t + bottom).filter((t) => t <= top + 1e-9), X, Y, x_label);
  for (const one of series) {
    if (one.band && one.low) svg.append(s("path", { d: band(one, X, Y), class: "band", fill: ink(one.colour) }));
  }
  for (const one of series) {
    svg.append(s("path", { d: steps(one.x, one.y, X, Y), class: one.faint ? "line faint" : "line",
      stroke: ink(one.colour), "stroke-dasharray": one.dash || null }));
  }
  show(place, svg, legend(series), data(title, series, x_label));
}

function axes(svg, width, across, up, X, Y, x_label) {
  for (const t of up) {
    svg.append(s("line", { x1: LEFT, x2: width - RIGHT, y1: Y(t), y2: Y(t), class: "grid" }),
      s("text", { x: LEFT - 6, y: Y(t) + 4, "text-anchor": "end" }, `${Number((100 * t).toPrecision(3))} %`));
  }
  for (const t of across) {
    svg.append(s("text", { x: X(t), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, short(t)));
  }
  svg.append(s("text", { x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, x_label));
}

function steps(x, y, X, Y) {
  let d = "";
  x.forEach((one, i) => {
    if (y[i] === null) return;
    d += d ? `H${X(one).toFixed(1)}V${Y(y[i]).toFixed(1)}` : `M${X(one).toFixed(1)},${Y(y[i]).toFixed(1)}`;
  });
  return d;
}

function band(one, X, Y) {
  const there = steps(one.x, one.high, X, Y);
  let back = "";
  for (let i = one.x.length - 1; i >= 0; i--) {
    if (one.low[i] === null) continue;
    back += back ? `V${Y(one.low[i]).toFixed(1)}H${X(one.x[i]).toFixed(1)}`
      : `L${X(one.x[i]).toFixed(1)},${Y(one.low[i]).toFixed(1)}H${X(one.x[i]).toFixed(1)}`;
  }
  return `${there}${back}Z`;
}

const last = (one) => one.y[one.y.length - 1];
const said = (title, series) =>
  `${title}. At the end: ${series.map((one) => `${one.label} ${percent(last(one))} %`).join(", ")}`;

function legend(series) {
  return h("ul", { class: "legend" }, series.filter((one) => !one.unnamed).map((one) => h("li", {},
    s("svg", { viewBox: "0 0 24 10", class: "dash", "aria-hidden": "true" },
      s("line", { x1: 0, x2: 24, y1: 5, y2: 5, stroke: ink(one.colour), "stroke-width": one.faint ? 1.5 : 3, "stroke-dasharray": one.dash || null })),
    `${one.label} ${percent(last(one))} %`)));
}

function data(title, series, x_label) {
  const box = h("details", { class: "data" }, h("summary", {}, "as a table"));
  box.addEventListener("toggle", () => {
    if (!box.open || box.querySelector("table")) return;
    const span = Math.max(...series.map((one) => one.x[one.x.length - 1] || 0));
    const times = ticks(span, 8);
    const value = (one, t) => one.y[one.x.findLastIndex((x) => x <= t + 1e-9)] ?? null;
    box.append(h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${title}, as a table` }, h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, x_label), series.map((one) => h("th", { scope: "col" }, `${one.label}, %`)))),
      h("tbody", {}, times.map((t) => h("tr", {}, h("th", { scope: "row" }, short(t)), series.map((one) => h("td", {}, percent(value(one, t))))))))));
  });
  return box;
}

// Cells per patient by stage, on a log scale, now over before.
export function funnel(place, tables) {
  const [now, before] = tables;
  if (!now) { show(place, h("p", { class: "hint" }, "counted once the patients are done …")); return; }
  const width = Math.max(280, place.clientWidth || 420), row = 32, left = 128;
  const all = tables.filter(Boolean).flat().map((one) => one.entered).filter((value) => value > 0);
  const most = Math.log10(Math.max(...all, 10)), least = Math.min(0, Math.floor(Math.log10(Math.min(...all, 1))));
  const W = (value) => (value > 0 ? (width - left - 74) * (Math.log10(value) - least) / (most - least) : 0);
  const label = now.map((one) => `${one.label.replaceAll("_", " ")} ${short(one.entered)}`).join(", ");
  const svg = s("svg", { viewBox: `0 0 ${width} ${row * now.length + 8}`, role: "img", class: "chart",
    "aria-label": `Cells per patient that entered each stage: ${label}` });
  now.forEach((one, i) => {
    const y = i * row + 6, other = before?.[i];
    svg.append(s("text", { x: left - 8, y: y + 15, "text-anchor": "end" }, one.label.replaceAll("_", " ")),
      s("rect", { x: left, y, width: Math.max(1, W(one.entered)), height: other ? 13 : 20, class: "bar" }),
      other ? s("rect", { x: left, y: y + 14, width: Math.max(1, W(other.entered)), height: 6, class: "bar before" }) : "",
      s("text", { x: left + Math.max(W(one.entered), other ? W(other.entered) : 0) + 6, y: y + 14 }, short(one.entered)));
  });
  show(place, svg, h("p", { class: "hint" }, `Cells per patient that entered each stage (log scale)${before ? "; the thin bar is the baseline" : ""}. Of the first 300 patients.`));
}
