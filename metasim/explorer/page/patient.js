// A patient: chosen from the swimmer plot; her colonies over time, who seeded whom, her events.

import { at, h, ink, s, show, words } from "./dom.js";
import { get } from "./api.js";
import { short } from "./numbers.js";

let colours = new Map();
let labels = new Map();
let failed = () => {};

export function prepare(told) {
  failed = told;
}

export async function list(numbers) {
  colours = new Map(numbers.body.organs.map((one) => [one.organ, one.colour]));
  labels = new Map(numbers.body.organs.map((one) => [one.organ, one.label]));
  const found = await get("patients");
  show(at("patient"), chooser(numbers), swimmer(found), h("div", { id: "one", "aria-live": "polite" }));
}

const colour = (organ) => ink(colours.get(organ) || "#000000");
const name = (organ) => labels.get(organ) || words(organ || "whole body");

function chooser(numbers) {
  const field = h("input", { id: "patient-number", type: "number", min: 0, step: 1, value: 0 });
  return h("form", { class: "choose", onsubmit: (event) => { event.preventDefault(); open(Number(field.value)); } },
    h("p", { class: "hint" }, `A line is a patient. Choose one, or give a number below ${numbers.patients + numbers.left_out + numbers.failed}.`),
    h("label", { for: "patient-number" }, "Patient"), field, h("button", { type: "submit" }, "Show"));
}

function swimmer(found) {
  const lives = found.rows.filter((one) => one.what === "life");
  if (!lives.length) return h("p", { class: "hint" }, "Nobody was diagnosed.");
  const place = at("patient");
  const width = Math.max(300, place.clientWidth || 600), row = 16, left = 46;
  const span = Math.max(...lives.map((one) => one.until), 0.1);
  const X = (x) => left + (width - left - 12) * Math.max(0, x) / span;
  const svg = s("svg", { viewBox: `0 0 ${width} ${row * lives.length + 34}`, class: "chart swimmer", role: "group",
    "aria-label": "Courses of single patients" });
  for (const life of lives) {
    const y = row * life.row + 4;
    const mine = found.rows.filter((one) => one.row === life.row);
    const marks = mine.filter((one) => one.what === "mark");
    const told = marks.filter((one) => one.kind === "relapse").map((one) => `relapse in ${name(one.organ)} after ${short(one.years)} years`);
    const line = s("g", { class: "life", tabindex: 0, role: "button",
      "aria-label": `Patient ${life.patient}: ${told.join(", ") || "no relapse"}; ${life.kind} after ${short(life.until)} years` },
      s("rect", { x: 0, y: y - 2, width, height: row, class: "hit" }),
      s("text", { x: left - 6, y: y + 10, "text-anchor": "end" }, life.patient),
      s("rect", { x: left, y: y + 2, width: Math.max(1, X(life.until) - left), height: 8, class: "span" }),
      mine.filter((one) => one.what === "course").map((one) => s("rect", { x: X(one.years), y: y + 8, width: Math.max(1, X(one.until) - X(one.years)), height: 3, class: "given" })),
      marks.map((one) => mark(one, X(one.years), y + 6)),
      end(life.kind, X(life.until), y + 6));
    line.addEventListener("click", () => open(life.patient));
    line.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(life.patient); }
    });
    svg.append(line);
  }
  const below = row * lives.length + 14;
  for (let t = 0; t <= span; t += Math.max(1, Math.round(span / 6))) {
    svg.append(s("text", { x: X(t), y: below, "text-anchor": "middle" }, t));
  }
  svg.append(s("text", { x: width / 2, y: below + 16, "text-anchor": "middle" }, found.since));
  return h("div", {}, svg, h("p", { class: "key" }, "● relapse, in the colour of the organ  ▲ symptom  ■ surgery or treatment  ✕ death of cancer  □ death of other causes"));
}

function mark(one, x, y) {
  if (one.kind === "relapse") return s("circle", { cx: x, cy: y, r: 4.5, fill: colour(one.organ), class: "mark" });
  if (one.kind === "diagnosis") return s("circle", { cx: x, cy: y, r: 3, class: "hollow" });
  if (one.kind === "symptom") return s("path", { d: `M${x - 4},${y + 3}L${x},${y - 5}L${x + 4},${y + 3}Z`, fill: colour(one.organ), class: "mark" });
  return s("rect", { x: x - 2.5, y: y - 2.5, width: 5, height: 5, class: "solid" });
}

function end(kind, x, y) {
  if (kind === "death of cancer") return s("path", { d: `M${x - 4},${y - 4}L${x + 4},${y + 4}M${x + 4},${y - 4}L${x - 4},${y + 4}`, class: "cross" });
  if (kind === "death of other causes") return s("rect", { x: x - 3.5, y: y - 3.5, width: 7, height: 7, class: "hollow" });
  return "";
}

export async function open(patient) {
  try {
    const found = await get(`patient/${patient}`);
    at("patient-number").value = patient;
    show(at("one"), found.failed ? h("p", {}, `Patient ${patient} could not be simulated: ${found.failed}`) : course(found));
  } catch (error) {
    failed(error);
  }
}

function course(found) {
  const stage = found.stage.filter(Boolean).join(" ");
  const causes = { total_burden: "the total burden of tumour", other_cause: "other causes" };
  const end = found.cause ? `died of ${causes[found.cause] || `metastases in ${name(found.cause)}`}` : "alive at the end";
  return [
    h("h3", {}, `Patient ${found.patient}${stage ? `, ${stage} at diagnosis` : ", never diagnosed"}; ${end}`),
    h("div", { class: "pair" },
      h("figure", {}, h("figcaption", {}, "Colonies over time (cells, log scale)"), colonies(found)),
      h("figure", {}, h("figcaption", {}, "Who seeded whom"), tree(found))),
    events(found),
  ];
}

function clock(found, width, left) {
  const first = Math.min(0, ...found.tree.map((one) => one.years), ...found.colonies.map((one) => one.years ?? 0));
  const last = Math.max(found.about.end_years, first + 0.01);
  return { first, last, X: (x) => left + (width - left - 10) * (Math.min(last, Math.max(first, x)) - first) / (last - first) };
}

function years_below(svg, { first, last, X }, y, since) {
  const step = Math.max(1, Math.round((last - first) / 6));
  for (let t = Math.ceil(first); t <= last; t += step) svg.append(s("text", { x: X(t), y, "text-anchor": "middle" }, t));
  svg.append(s("text", { x: X((first + last) / 2), y: y + 16, "text-anchor": "middle" }, `years since ${since}`));
}

// Room of one of two figures beside each other, or one above the other where the page is narrow.
function half() {
  const room = at("patient").clientWidth || 620;
  return Math.max(280, room > 640 ? room / 2 - 8 : room);
}

function colonies(found) {
  const width = half(), height = 250, left = 48;
  const { first, last, X } = clock(found, width, left);
  const curves = new Map();
  for (const one of found.colonies) {
    if (one.what !== "organ" || !(one.cells > 0)) continue;
    if (!curves.has(one.organ)) curves.set(one.organ, []);
    curves.get(one.organ).push([one.years, one.cells]);
  }
  const most = Math.max(1, ...[...curves.values()].flat().map(([, cells]) => Math.log10(cells)));
  const Y = (cells) => 8 + (height - 44) * (1 - Math.log10(Math.max(1, cells)) / most);
  const said = [...curves.keys()].map(name).join(", ");
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": `Cells over time in ${said || "no organ"}` });
  for (let power = 0; power <= most; power += 2) {
    svg.append(s("line", { x1: left, x2: width - 10, y1: Y(10 ** power), y2: Y(10 ** power), class: "grid" }),
      s("text", { x: left - 6, y: Y(10 ** power) + 4, "text-anchor": "end" }, short(10 ** power)));
  }
  for (const [organ, points] of curves) {
    svg.append(s("polyline", { points: points.map(([x, y]) => `${X(x).toFixed(1)},${Y(y).toFixed(1)}`).join(" "), class: "line", stroke: colour(organ) }));
  }
  for (const [what, x] of [["diagnosis", found.about.diagnosis], ["death", found.about.death]]) {
    if (x !== null) svg.append(s("line", { x1: X(x), x2: X(x), y1: 4, y2: height - 36, class: "event" }), s("text", { x: X(x) + (what === "death" ? -3 : 3), y: 14, class: "small", "text-anchor": what === "death" ? "end" : "start" }, what));
  }
  years_below(svg, { first, last, X }, height - 20, found.about.since);
  return h("div", {}, svg, h("ul", { class: "legend" }, [...curves.keys()].map((organ) => h("li", {},
    s("svg", { viewBox: "0 0 24 10", class: "dash", "aria-hidden": "true" }, s("line", { x1: 0, x2: 24, y1: 5, y2: 5, stroke: colour(organ), "stroke-width": 3 })), name(organ)))));
}

function tree(found) {
  const rows = found.tree;
  if (rows.length < 2) return h("p", { class: "hint" }, "No metastasis was founded in this patient.");
  const width = half(), row = 16, left = 12, height = row * rows.length + 44;
  const { first, last, X } = clock(found, width - 130, left);
  const y = new Map(rows.map((one) => [one.metastasis, 10 + row * one.row]));
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img",
    "aria-label": `${rows.length - 1} of ${found.about.found} metastases and what they came from` });
  for (const one of rows) {
    if (one.metastasis) svg.append(s("line", { x1: X(one.years), x2: X(one.years), y1: y.get(one.parent), y2: y.get(one.metastasis), class: "grid" }));
    svg.append(s("line", { x1: X(one.years), x2: Math.max(X(one.years) + 1, X(one.until)), y1: y.get(one.metastasis), y2: y.get(one.metastasis),
      stroke: colour(one.organ), "stroke-width": one.metastasis ? 1.5 + 0.4 * Math.log10(one.cells + 1) : 5 }),
    s("text", { x: X(one.until) + 6, y: y.get(one.metastasis) + 4, class: "small" }, one.metastasis ? name(one.organ) : `${name(one.organ)} (primary)`));
  }
  years_below(svg, { first, last, X }, height - 20, found.about.since);
  return svg;
}

function events(found) {
  const rows = found.events.map((one) => h("tr", {}, h("td", {}, one.years === null ? "–" : one.years.toFixed(1)),
    h("td", {}, words(one.event)), h("td", {}, one.organ ? name(one.organ) : "–"), h("td", {}, one.treatment ? words(one.treatment) : "–")));
  return h("details", { class: "data", open: rows.length <= 12 }, h("summary", {}, `${rows.length} events`),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Events of this patient" }, h("table", { class: "left" },
      h("thead", {}, h("tr", {}, ["Years", "Event", "Organ", "Treatment"].map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows))));
}
