// Watching cells: every cell a dot in its organ, coloured by stage; play, pause, step, speed, a history.

import { at, h, show, words } from "./dom.js";
import { get, send } from "./api.js";
import { count } from "./numbers.js";

const GOLDEN = Math.PI * (3 - Math.sqrt(5)), WIDTH = 560, HEIGHT = 440, MOST_WAIT = 1000;
let places = new Map();
let labels = new Map();
let outline = "";
let state = null;
let dots = [];
let cell = null;
let timer = null;
let busy = false;
let failed = () => {};

export function prepare(path, told) {
  outline = path;
  failed = told;
}

export function build(numbers) {
  places = new Map(numbers.body.places.map((one) => [one.place, one]));
  labels = new Map(numbers.body.organs.map((one) => [one.organ, one.label]));
  if (at("watch-start")) return;
  const patient = h("input", { id: "watch-patient", type: "number", min: 0, step: 1, value: 0 });
  const speed = h("input", { id: "watch-speed", type: "range", min: 0, max: 6, step: 1, value: 2, "aria-valuetext": "4 steps a second" });
  speed.addEventListener("input", () => speed.setAttribute("aria-valuetext", `${2 ** speed.value} steps a second`));
  show(at("cells"),
    h("p", { class: "hint" }, "The cell engine draws every cell as an agent, so watch a scenario with few cells: few_cells, say."),
    h("div", { class: "choose" }, h("label", { for: "watch-patient" }, "Patient"), patient,
      h("button", { type: "button", id: "watch-start", onclick: () => start(Number(patient.value)) }, "Start"),
      h("button", { type: "button", id: "watch-play", disabled: true, onclick: play }, "Play"),
      h("button", { type: "button", id: "watch-step", disabled: true, onclick: () => step(1) }, "One step"),
      h("label", { for: "watch-speed" }, "Speed"), speed),
    h("p", { id: "watch-state", role: "status" }),
    h("div", { class: "pair", id: "watch-view", hidden: true },
      h("div", {}, h("canvas", { id: "watch-canvas", width: WIDTH, height: HEIGHT, role: "img", "aria-label": "Cells in their organs" }),
        h("p", { class: "key", id: "watch-key" })),
      h("div", {}, h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Cells by stage and organ" }, h("div", { id: "watch-census" })),
        h("form", { class: "choose", onsubmit: (event) => { event.preventDefault(); history(Number(at("watch-cell").value)); } },
          h("label", { for: "watch-cell" }, "Cell number"), h("input", { id: "watch-cell", type: "number", min: 1, step: 1 }),
          h("button", { type: "submit" }, "Its history"), h("span", { class: "hint" }, "or click a dot")),
        h("div", { id: "watch-history", "aria-live": "polite" }))));
  at("watch-canvas").addEventListener("click", picked);
}

export function forget() {
  pause();
  state = cell = null;
  if (at("watch-view")) at("watch-view").hidden = true;
  for (const id of ["watch-play", "watch-step"]) if (at(id)) at(id).disabled = true;
  if (at("watch-state")) at("watch-state").textContent = "";
}

async function start(patient) {
  pause();
  cell = null;
  show(at("watch-history"));
  await ask(() => send("watch", { patient }));
}

const step = (steps) => ask(() => send("watch/step", { steps }));

async function ask(work) {
  if (busy) return;
  busy = true;
  try {
    state = await work();
    draw();
  } catch (error) {
    pause();
    failed(error);
  } finally {
    busy = false;
  }
}

function play() {
  if (timer) { pause(); return; }
  at("watch-play").textContent = "Pause";
  const next = async () => {
    const rate = 2 ** Number(at("watch-speed").value);
    const wait = Math.min(MOST_WAIT, 1000 / rate);
    await step(wait < 60 ? Math.ceil(rate * 0.06) : 1);
    if (timer && state?.running) timer = setTimeout(next, Math.max(60, wait));
    else pause();
  };
  timer = setTimeout(next, 0);
}

function pause() {
  clearTimeout(timer);
  timer = null;
  if (at("watch-play")) at("watch-play").textContent = "Play";
}

function draw() {
  at("watch-view").hidden = false;
  for (const id of ["watch-play", "watch-step"]) at(id).disabled = !state.running;
  const total = state.census.flat().reduce((a, b) => a + b, 0);
  at("watch-state").textContent = `Patient ${state.patient}, day ${count(Math.round(state.day))} (${state.years.toFixed(1)} years): `
    + `${count(total)} cells, ${state.colonies.filter((one) => one.number).length} metastases. `
    + (state.message || (state.running ? "" : "The patient's last day."));
  census();
  paint();
  show(at("watch-key"), state.stages.map((stage, i) => {
    const dot = h("span", { class: "dot" });
    dot.style.background = state.colours[i];
    return h("span", {}, dot, ` ${i + 1} ${stage} `);
  }));
  if (cell !== null) history(cell);
}

function census() {
  show(at("watch-census"), h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Organ"), state.stages.map((stage, i) => h("th", { scope: "col", title: stage }, i + 1)))),
    h("tbody", {}, state.organs.map((organ, o) => h("tr", {}, h("th", { scope: "row" }, labels.get(organ) || words(organ)),
      state.census.map((row) => h("td", {}, row[o] ? count(row[o]) : "·")))))));
}

const X = (x) => WIDTH / 2 + x * HEIGHT * 1.25, Y = (y) => 24 + (1 - y) * HEIGHT * 1.25 - 24;

function paint() {
  const canvas = at("watch-canvas"), pen = canvas.getContext("2d");
  const styles = getComputedStyle(canvas);
  pen.clearRect(0, 0, WIDTH, HEIGHT);
  pen.save();
  pen.translate(X(0), Y(1));
  pen.scale(HEIGHT * 1.25, HEIGHT * 1.25);
  pen.fillStyle = styles.getPropertyValue("--skin");
  pen.fill(new Path2D(outline));
  pen.restore();
  dots = [];
  const room = new Map();
  for (const colony of state.colonies) {
    const spot = places.get(state.organs[colony.organ]);
    if (!spot) continue;
    const radius = 2.2 * Math.sqrt(colony.cells.length);
    const used = room.get(colony.organ) || 0;
    const turn = GOLDEN * colony.number;
    const cx = X(spot.x) + (used ? (used + radius) * Math.cos(turn) : 0), cy = Y(spot.y) + (used ? (used + radius) * Math.sin(turn) : 0);
    room.set(colony.organ, Math.max(used, radius + (used ? used : 0)));
    colony.cells.forEach((one, i) => {
      const r = 2.2 * Math.sqrt(i + 0.5);
      dots.push({ cell: one, x: cx + r * Math.cos(GOLDEN * i), y: cy + r * Math.sin(GOLDEN * i), stage: colony.stage });
    });
  }
  for (const group of state.waiting) {
    const spot = places.get(state.organs[group.organ]);
    if (!spot) continue;
    const ring = (room.get(group.organ) || 0) + 8;
    group.cells.forEach((one, i) => dots.push({ cell: one, stage: group.stage,
      x: X(spot.x) + (ring + 3 * (i % 3)) * Math.cos(GOLDEN * one), y: Y(spot.y) + (ring + 3 * (i % 3)) * Math.sin(GOLDEN * one) }));
  }
  for (const dot of dots) {
    pen.fillStyle = state.colours[dot.stage - 1];
    pen.beginPath();
    pen.arc(dot.x, dot.y, dot.cell === cell ? 5 : 2, 0, 7);
    pen.fill();
    if (dot.cell === cell) { pen.strokeStyle = styles.color; pen.stroke(); }
  }
  canvas.setAttribute("aria-label", `${dots.length} cells shown as dots in ${state.organs.length} organs; the table beside counts them all`);
}

function picked(event) {
  const box = event.target.getBoundingClientRect();
  const x = (event.clientX - box.left) * WIDTH / box.width, y = (event.clientY - box.top) * HEIGHT / box.height;
  let best = null, near = 14 ** 2;
  for (const dot of dots) {
    const d = (dot.x - x) ** 2 + (dot.y - y) ** 2;
    if (d < near) { near = d; best = dot; }
  }
  if (best) { at("watch-cell").value = best.cell; history(best.cell); }
}

async function history(number) {
  try {
    const found = await get(`watch/cell/${number}`);
    cell = found.moves.length ? number : null;
    if (state) paint();
    const moves = found.moves.map((one) => h("li", {}, `day ${count(Math.round(one.day))}: `
      + (one.from === null ? `born, ${one.to}` : one.to === null ? `dies or is removed, ${one.from}` : one.from !== one.to ? `${one.from} → ${one.to}` : one.from === "circulation" ? "carried through" : "falls dormant, or wakes")
      + ` (${labels.get(one.organ) || words(one.organ)})`));
    show(at("watch-history"), h("h3", {}, `Cell ${number}${found.parent ? `, daughter of ${found.parent}` : ""}`),
      moves.length ? h("ol", {}, moves) : h("p", {}, "There was no such cell yet."));
  } catch (error) {
    failed(error);
  }
}
