// The page: asks for a run when the knobs rest, and shows what comes of it.

import { at, h, show, words } from "./dom.js";
import * as api from "./api.js";
import * as body from "./body.js";
import * as cells from "./cells.js";
import * as charts from "./charts.js";
import * as knobs from "./knobs.js";
import * as link from "./link.js";
import * as patient from "./patient.js";
import * as table from "./table.js";
import * as take from "./take.js";
import * as treatments from "./treatments.js";
import { count } from "./numbers.js";

const REST = 300, POLL = 120, MOST_POLL = 1000;
const page = { scenario: "", kind: "", knobs: null, changes: {}, numbers: null, seen: {}, asked: 0 };
let resting = null;
let polling = 0;

async function begin() {
  const asked = link.read(location.hash);
  let found;
  try {
    found = await api.open(asked.scenario);
  } catch (error) {
    if (!asked.scenario || error.gone) { wrong(error); return; }
    found = await api.open(null);
    wrong(error);
    asked.changes = {};
  }
  body.prepare(found.outline, knobs.open_organ);
  cells.prepare(found.outline, wrong);
  patient.prepare(wrong);
  show(at("scenario"), found.scenarios.map((one) => h("option", { value: one.name, title: one.title }, one.name)));
  at("asked").max = found.most_patients;
  const from_link = Object.keys(asked.changes).length || asked.patients || asked.scenario;
  based(found, from_link ? asked : found.start);
  listen();
  run();
}

// The page starts from a scenario; `start` holds changes of it and a number of patients.
function based(found, start = { changes: {}, patients: null }) {
  Object.assign(page, { scenario: found.scenario, kind: found.kind, knobs: found.knobs });
  if (![...at("scenario").options].some((one) => one.value === found.scenario)) {
    at("scenario").prepend(h("option", { value: found.scenario }, found.scenario));
  }
  at("scenario").value = found.scenario;
  const { "run.patients": patients, ...changes } = start.changes;
  at("asked").value = Math.min(start.patients ?? patients ?? found.knobs.patients, Number(at("asked").max));
  page.changes = Object.fromEntries(Object.entries(changes).filter(([key]) => key.split(".")[0] !== "treatment"));
  knobs.build(found.knobs, page.changes, turned);
  treatments.build(found.knobs, changes, rest);
  cells.forget();
  marks();
}

function turned(key, value) {
  if (key === "care") treatments.forget_rules();
  if (value === undefined) delete page.changes[key];
  else page.changes[key] = value;
  rest();
}

const changes = () => ({ ...page.changes, ...treatments.changes(page.changes.care !== undefined) });
const marks = () => knobs.mark_changes(changes());

function rest() {
  marks();
  clearTimeout(resting);
  resting = setTimeout(run, REST);
}

async function run() {
  clearTimeout(resting);
  const patients = Number(at("asked").value);
  const given = changes();
  right();
  if (!Number.isInteger(patients)) { wrong(new api.Refused({ message: "Patients: a whole number is due." })); return; }
  try {
    const state = await api.send("run", { changes: given, patients });
    if (state.treatments) treatments.learn(state.treatments);
    page.asked = performance.now();
    address(patients, given);
    progress(state);
    poll(++polling);
  } catch (error) {
    wrong(error);
  }
}

function address(patients, given) {
  if (page.kind === "upload") history.replaceState(null, "", location.pathname);
  else history.replaceState(null, "", link.write(page.scenario, patients, given));
}

async function poll(mine) {
  let wait = POLL;
  while (mine === polling) {
    let state;
    try {
      state = await api.get(`answer?job=${page.seen.job ?? ""}&version=${page.seen.version ?? ""}`);
    } catch (error) {
      wrong(error);
      return;
    }
    if (mine !== polling) return;
    progress(state);
    if (state.numbers) {
      page.seen = { job: state.job, version: state.version };
      numbers(state);
      await more(state, mine);
    }
    if (["done", "stopped", "failed"].includes(state.state)) return;
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(MOST_POLL, wait * 1.15);
  }
}

function progress(state) {
  const over = ["done", "stopped", "failed"].includes(state.state);
  at("bar").max = state.asked;
  at("bar").value = state.done;
  at("cancel").hidden = over;
  const done = `${count(state.done)} of ${count(state.asked)} patients`;
  const told = state.state === "done" ? `${done}, ${state.seconds.toFixed(1)} s`
    : over ? `${state.message}: ${done}`
    : state.preparing ? "The engine is being compiled, once on this machine: up to half a minute …"
    : `${done} …`;
  if (at("state").textContent !== told) at("state").textContent = told;
  if (state.first_failure && state.ready) at("state").textContent += ` First failure: ${state.first_failure}`;
  document.body.dataset.state = state.state;
  document.body.dataset.ready = state.ready;
}

function numbers(state) {
  page.numbers = state.numbers;
  table.draw(state.numbers);
  body.draw(state.numbers, page.knobs);
  take.draw(state.command, location.href);
  at("unpin").hidden = state.numbers.baseline === "as it is";
  document.body.dataset.shown = `${state.job}.${state.ready}`;
}

async function more(state, mine) {
  try {
    const found = await api.get(`curves?counted=${state.numbers.counted}`);
    if (mine !== polling) return;
    curves(found, state.numbers);
    cells.build(state.numbers);
    if (state.state === "done" || state.state === "stopped") await patient.list(state.numbers);
    page.curves = found;
    document.body.dataset.curves = `${state.job}.${state.version}`;
  } catch (error) {
    if (mine === polling) wrong(error);
  }
}

function curves(found, numbers) {
  const [now, before] = found.curves;
  const origin = `years since ${numbers.since === "diagnosis" ? "diagnosis" : "the start"}`;
  const each = (run, rest) => numbers.body.organs.map((organ) => {
    const one = run.incidence.curves[organ.organ];
    return one && { label: organ.label, colour: organ.colour, x: one.time, y: one.share, low: one.low, high: one.high, ...rest };
  }).filter(Boolean);
  charts.curves(at("incidence"), { title: "Patients with metastases over time", x_label: origin, series:
    [...(before ? each(before, { faint: true, dash: "2 3", unnamed: true }) : []), ...each(now, {})] });
  const named = { death: ["Alive", "#0072B2"], distant_or_death: ["Free of distant metastasis", "#D55E00"] };
  const lives = (run, rest, tail) => Object.entries(run.survival).map(([outcome, one]) => ({ label: named[outcome][0] + tail,
    colour: named[outcome][1], x: one.time, y: one.share, low: one.low, high: one.high, ...rest }));
  charts.curves(at("survival"), { title: "Survival", x_label: origin, from_top: true, series:
    [...(before ? lives(before, { faint: true, dash: "2 3" }, ", baseline") : []), ...lives(now, { band: true }, "")] });
  charts.funnel(at("funnel"), found.funnel);
}

function wrong(error) {
  const list = error.mistakes || [];
  for (const one of list) {
    const row = knobs.reveal(one.key);
    if (!row) continue;
    row.querySelector(".wrong").textContent = one.message + (one.hint ? ` (${one.hint})` : "");
    row.querySelector("input[type=number], select")?.setAttribute("aria-invalid", "true");
  }
  show(at("wrong"), list.length
    ? [h("p", {}, `${list.length === 1 ? "A mistake" : `${list.length} mistakes`}; nothing was run:`),
      h("ul", {}, list.map((one) => h("li", {}, one.key ? h("code", {}, one.key) : "", one.key ? ": " : "", one.message + (one.hint ? ` (${one.hint})` : ""))))]
    : h("p", {}, error.message || String(error)));
  at("wrong").hidden = false;
  if (error.gone) at("wrong").append(h("button", { type: "button", onclick: () => location.reload() }, "Open it anew"));
}

function right() {
  at("wrong").hidden = true;
  for (const one of document.querySelectorAll(".wrong")) one.textContent = "";
  for (const one of document.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
}

async function based_on(work) {
  right();
  ++polling;
  try {
    based(await work());
    await run();
  } catch (error) {
    wrong(error);
    at("scenario").value = page.scenario;
    at("wrong").focus();
  }
}

function listen() {
  at("scenario").addEventListener("change", () => based_on(() => api.send("scenario", { name: at("scenario").value })));
  at("asked").addEventListener("change", rest);
  at("cancel").addEventListener("click", () => api.send("cancel").catch(wrong));
  at("reset").addEventListener("click", () => { based({ ...page }); run(); at("scenario").focus(); });
  at("pin").addEventListener("click", () => api.send("pin", { label: label() }).then(run, wrong));
  at("unpin").addEventListener("click", () => api.send("unpin").then(run, wrong));
  at("upload").addEventListener("click", () => at("file").click());
  at("file").addEventListener("change", () => {
    const [file] = at("file").files;
    if (file) based_on(() => api.upload(`upload?name=${encodeURIComponent(file.name)}`, file));
    at("file").value = "";
  });
  at("upload-folder").addEventListener("click", () => at("folder").click());
  at("folder").addEventListener("change", () => {
    const files = [...at("folder").files];
    at("folder").value = "";
    if (files.length) based_on(() => results(files));
  });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (width !== innerWidth && page.curves && page.numbers) { width = innerWidth; curves(page.curves, page.numbers); }
  });
  addEventListener("pagehide", (event) => { if (!event.persisted) api.leave(); });
}

async function results(files) {
  const wanted = files.filter((one) => /^(?:provenance\.json|scenario\.toml|\w+\.parquet)$/.test(one.name)
    && one.webkitRelativePath.split("/").length <= 2);
  if (!wanted.some((one) => one.name === "provenance.json")) {
    throw new api.Refused({ message: "Not a results folder of metasim (provenance.json is missing)." });
  }
  for (const [i, file] of wanted.entries()) {
    await api.upload(`results-file?name=${encodeURIComponent(file.name)}${i ? "" : "&first=1"}`, file);
  }
  return api.send("results-open");
}

function label() {
  const keys = Object.entries(changes());
  const some = keys.slice(0, 2).map(([key, value]) => `${words(key)} ${typeof value === "object" ? "changed" : value}`).join(", ");
  return keys.length ? some + (keys.length > 2 ? " …" : "") : page.scenario;
}

begin().catch(wrong);
