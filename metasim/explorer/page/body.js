// The body: vessels as wide as their flow, organs as circles of their metastases, now and before.

import { at, h, ink, s, show } from "./dom.js";
import { interval, percent, points, short } from "./numbers.js";

const LARGEST = 0.06, LEAST = 0.008, BEND = 0.22;
let outline = "";
let chosen = null;
let choose = () => {};

export function prepare(path, picked) {
  outline = path;
  choose = picked;
}

export function draw(numbers, knobs) {
  const { places, vessels, means, before, organs } = numbers.body;
  const spots = new Map(places.map((one) => [one.place, { ...one, y: 1 - one.y }]));
  const largest = Math.max(...Object.keys(means).filter((key) => spots.has(key)).map((key) => means[key] || 0), 1e-12);
  const radius = (mean) => Math.max(LEAST, LARGEST * Math.sqrt((mean || 0) / largest));
  const focus = document.activeElement?.dataset?.organ;
  const lowest = Math.max(...organs.filter((one) => spots.has(one.organ)).map((one) => spots.get(one.organ).y), 0.6);
  const svg = s("svg", { viewBox: `-0.46 -0.02 0.96 ${Math.min(1.05, lowest + 0.2)}`, class: "body", role: "group", "aria-label":
    `Body with ${organs.length} organs; circles are metastases per patient` });
  svg.append(s("path", { d: outline, class: "outline" }));
  for (const vessel of vessels) svg.append(...arrow(vessel, spots));
  for (const one of places) if (one.what === "junction") {
    svg.append(s("circle", { cx: one.x, cy: 1 - one.y, r: 0.006, class: "junction" }));
  }
  const labels = columns(organs.filter((one) => spots.has(one.organ)), spots);
  for (const organ of organs) {
    const spot = spots.get(organ.organ);
    if (!spot) continue;
    const row = numbers.rows.find((one) => one.organ === organ.organ);
    const group = s("g", { class: "organ", tabindex: 0, role: "button", "data-organ": organ.organ,
      "aria-pressed": String(chosen === organ.organ),
      "aria-label": `${organ.label}: ${percent(row?.share_with)} % of patients, ${short(means[organ.organ])} metastases per patient` });
    group.style.color = ink(organ.colour) === "currentColor" ? "" : organ.colour;
    const label = labels.get(organ.organ);
    const side = label.x < 0 ? "end" : "start", beside = label.x + (label.x < 0 ? -0.008 : 0.008);
    group.append(
      s("line", { x1: spot.x, y1: spot.y, x2: label.x, y2: label.y, class: "tie" }),
      s("circle", { cx: spot.x, cy: spot.y, r: radius(means[organ.organ]), class: "now" }),
      before[organ.organ] !== undefined && s("circle", { cx: spot.x, cy: spot.y, r: radius(before[organ.organ]), class: "before" }),
      s("text", { x: beside, y: label.y - 0.002, "text-anchor": side }, organ.label),
      s("text", { x: beside, y: label.y + 0.032, "text-anchor": side, class: "share" }, `${percent(row?.share_with)} %`));
    const pick = () => { chosen = organ.organ; explain(organ, row, numbers, knobs, vessels); choose(organ.organ); press(svg); };
    group.addEventListener("click", pick);
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(); }
    });
    group.addEventListener("pointerenter", () => explain(organ, row, numbers, knobs, vessels));
    group.addEventListener("focus", () => explain(organ, row, numbers, knobs, vessels));
    svg.append(group);
  }
  show(at("body"), svg, key());
  if (focus) svg.querySelector(`[data-organ="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
  const shown = organs.find((one) => one.organ === chosen);
  if (shown) explain(shown, numbers.rows.find((one) => one.organ === chosen), numbers, knobs, vessels);
}

function press(svg) {
  for (const group of svg.querySelectorAll("g.organ")) {
    group.setAttribute("aria-pressed", String(group.dataset.organ === chosen));
  }
}

function arrow(vessel, spots) {
  const a = spots.get(vessel.place), b = spots.get(vessel.to);
  if (!a || !b || (a.x === b.x && a.y === b.y)) return [];
  const blood = vessel.what === "blood";
  const width = blood ? Math.max(0.0012, 0.02 * vessel.flow) : 0.004;
  const along = [b.x - a.x, b.y - a.y];
  const bend = [(a.x + b.x) / 2 - BEND * along[1], (a.y + b.y) / 2 + BEND * along[0]];
  const d = `M${a.x},${a.y}Q${bend[0]},${bend[1]} ${b.x},${b.y}`;
  return [
    s("path", { d, class: vessel.what, "stroke-width": width }),
    blood && vessel.flow > 0.02 && s("path", { d, class: "flow", "stroke-width": Math.min(width, 0.006) }),
  ].filter(Boolean);
}

// Names in a column on either side, none over another.
function columns(organs, spots) {
  const sorted = [...organs].sort((a, b) => spots.get(a.organ).x - spots.get(b.organ).x);
  const half = Math.floor(sorted.length / 2);
  const out = new Map();
  for (const [side, members] of [[-1, sorted.slice(0, half)], [1, sorted.slice(half)]]) {
    const by_height = [...members].sort((a, b) => spots.get(a.organ).y - spots.get(b.organ).y);
    const gap = Math.min(0.085, 0.96 / Math.max(1, by_height.length));
    let last = -1;
    by_height.forEach((one, i) => {
      const room = 1 - gap * (by_height.length - i);
      last = Math.min(Math.max(spots.get(one.organ).y, last + gap), Math.max(room, last + gap));
      out.set(one.organ, { x: side * 0.205, y: last });
    });
  }
  return out;
}

function key() {
  return h("p", { class: "key" },
    h("span", { class: "swatch now" }), "now ", h("span", { class: "swatch before" }), "baseline ",
    h("span", { class: "swatch blood" }), "blood ", h("span", { class: "swatch lymph" }), "lymph");
}

// What an organ is: its soil, what arrives, what grows.
function explain(organ, row, numbers, knobs, vessels) {
  const mine = knobs.organs.find((one) => one.organ === organ.organ);
  const levels = mine?.groups.find((group) => group.name === "levels");
  const inflow = vessels.filter((one) => one.to === organ.organ && one.what === "blood");
  const flow = inflow.reduce((sum, one) => sum + one.flow, 0);
  const lymph = vessels.some((one) => one.to === organ.organ && one.what === "lymph");
  show(at("explained"), h("h3", {}, organ.label),
    row && h("p", {}, `${percent(row.share_with)} % of patients have metastases here (95 %: ${interval(row.share_low, row.share_high)} %); `
      + `${short(row.metastases_per_patient)} per patient (${interval(row.metastases_low, row.metastases_high, short)}).`,
      row.share ? ` Against the baseline: ${points(row.share.difference)} points (${points(row.share.low)} to ${points(row.share.high)}).` : ""),
    h("p", {}, flow ? `${percent(flow)} % of the largest flow of blood arrives here.` : "No blood arrives directly.",
      lymph ? " Lymph arrives too." : ""),
    levels && h("p", {}, "Soil: ", levels.knobs.map((knob) => `${knob.label} ${knob.value}`).join(", "), " (as the scenario has it)."));
}
