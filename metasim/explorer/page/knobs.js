// Knobs: a slider and a field for each number, a choice for each entry of the catalogue.

import { at, h, show, words } from "./dom.js";
import { plain } from "./numbers.js";

const STEPS = 1000;
let serial = 0;

function place(knob, value) {
  const { from, to, scale } = knob;
  const part = scale === "log" ? Math.log(value / from) / Math.log(to / from) : (value - from) / (to - from);
  return Math.round(STEPS * Math.min(1, Math.max(0, Number.isFinite(part) ? part : 0)));
}

function valueAt(knob, step) {
  const { from, to, scale } = knob;
  const part = step / STEPS;
  const exact = scale === "log" ? from * (to / from) ** part : from + (to - from) * part;
  if (knob.whole) return Math.round(Number(exact.toPrecision(3)));
  return scale === "log" ? Number(exact.toPrecision(2)) : Number(exact.toFixed(to - from <= 2 ? 2 : 1));
}

// One number. `turned(key, value)` is told of it; value undefined: back to the default.
export function number(knob, value, turned) {
  const id = `knob-${++serial}`;
  const named = knob.label.endsWith(knob.unit) || (knob.unit === "1/day" && knob.label.endsWith("per day"));
  const told = knob.unit ? ` ${knob.unit}` : "";
  const slides = knob.scale !== "none";
  const slider = slides && h("input", {
    type: "range", min: 0, max: STEPS, step: slides && knob.scale === "linear" && knob.to - knob.from === 1 ? 10 : 5,
    "aria-label": `${knob.label}, slider`, "aria-describedby": `${id}-about`,
  });
  const field = h("input", {
    id, type: "number", step: "any", min: knob.low, max: knob.high, "aria-describedby": `${id}-about ${id}-wrong`,
  });
  const back = h("button", { type: "button", class: "back", title: `back to ${plain(knob.value)}${told}`,
    "aria-label": `${knob.label}: back to ${plain(knob.value)}${told}` }, "↺");
  const wrong = h("span", { class: "wrong", id: `${id}-wrong` });
  const row = h("div", { class: "knob", "data-key": knob.key },
    h("label", { for: id }, knob.label, !named && h("span", { class: "unit" }, told)),
    slides && h("span", { class: "track" }, slider, mark(knob)),
    field, back, wrong, about(knob, id));
  const set = (now) => {
    field.value = plain(now);
    if (slider) {
      slider.value = place(knob, now);
      slider.setAttribute("aria-valuetext", `${plain(now)}${told}`);
    }
    row.classList.toggle("changed", now !== knob.value);
    back.disabled = now === knob.value;
  };
  const turn = (now) => {
    set(now);
    turned(knob.key, now === knob.value ? undefined : now);
  };
  if (slider) slider.addEventListener("input", () => turn(valueAt(knob, Number(slider.value))));
  field.addEventListener("change", () => {
    const now = field.value === "" ? knob.value : Number(field.value);
    turn(now);
  });
  back.addEventListener("click", () => { turn(knob.value); field.focus(); });
  set(value ?? knob.value);
  row.set = set;
  return row;
}

// Where the default stands on the slider.
function mark(knob) {
  const tick = h("span", { class: "default", "aria-hidden": "true" });
  tick.style.setProperty("--at", place(knob, knob.value) / STEPS);
  return tick;
}

function about(knob, id) {
  const origin = [knob.status, knob.layer].filter(Boolean).join(", ");
  return h("div", { class: "about", id: `${id}-about` },
    h("span", {}, knob.means.replaceAll("\n", " ")),
    h("span", {}, `Default ${plain(knob.value)}${knob.unit ? ` ${knob.unit}` : ""}: ${origin}. Allowed: ${knob.allowed}.`),
    knob.drawn && h("span", {}, `Differs between patients (${knob.drawn}); a value here holds for all of them.`),
    knob.source && h("span", {}, knob.source),
    knob.note && h("span", {}, knob.note));
}

function choice(entry, value, turned) {
  const id = `knob-${++serial}`;
  const select = h("select", { id, "aria-describedby": `${id}-about ${id}-wrong` },
    entry.value === "" && h("option", { value: "" }, entry.mixed ? "mixed, as the scenario says" : "none"),
    entry.names.map((name) => h("option", { value: name }, words(name))));
  select.value = value ?? entry.value;
  select.addEventListener("change", () => {
    row.classList.toggle("changed", select.value !== entry.value);
    turned(entry.key, select.value === entry.value ? undefined : select.value);
  });
  const row = h("div", { class: "knob", "data-key": entry.key },
    h("label", { for: id }, words(entry.label)), select,
    h("span", { class: "wrong", id: `${id}-wrong` }),
    h("div", { class: "about", id: `${id}-about` }, h("span", {}, entry.means)));
  return row;
}

// All knobs of a scenario but its treatments; rows of an organ are made when it is opened.
export function build(knobs, changes, turned) {
  show(at("general"),
    knobs.entries.map((entry) => choice(entry, changes[entry.key], turned)),
    knobs.general.map((knob) => number(knob, changes[knob.key], turned)));
  show(at("organs"), knobs.organs.map((organ) => organBox(organ, changes, turned)));
}

function organBox(organ, changes, turned) {
  const box = h("details", { class: "organ", "data-organ": organ.organ },
    h("summary", {}, organ.label, h("span", { class: "count" })));
  box.fillUp = () => {
    if (box.filled) return;
    box.filled = true;
    box.append(...organ.groups.map((group) => {
      const set = h("fieldset", {}, h("legend", {}, group.name));
      set.append(...group.knobs.map((knob) => number(knob, changes[knob.key], turned)));
      return set;
    }));
  };
  box.addEventListener("toggle", () => box.open && box.fillUp());
  return box;
}

// Says beside each organ how much of it is changed.
export function mark_changes(changes) {
  const keys = Object.keys(changes);
  for (const box of document.querySelectorAll("details.organ")) {
    const mine = keys.filter((key) => key.startsWith(`soil.${box.dataset.organ}.`)).length;
    box.querySelector(".count").textContent = mine ? ` ${mine} changed` : "";
  }
  const n = keys.length;
  at("changed").textContent = n ? `${n} ${n === 1 ? "value is" : "values are"} changed.` : "Nothing is changed.";
  at("reset").hidden = !n;
}

// The row of a key, opened so that it can be seen; null: the page has no such knob.
export function reveal(key) {
  const parts = key.split(".");
  if (parts[0] === "soil" && parts.length > 2) {
    const box = document.querySelector(`details.organ[data-organ="${CSS.escape(parts[1])}"]`);
    if (box) { box.open = true; box.fillUp(); }
  }
  if (parts[0] === "treatment") at("treatments-box").open = true;
  const whole = parts[0] === "treatment" ? `treatment.${parts[1]}` : key;
  return document.querySelector(`[data-key="${CSS.escape(key)}"]`) || document.querySelector(`[data-key="${CSS.escape(whole)}"]`);
}

export function open_organ(organ) {
  const box = document.querySelector(`details.organ[data-organ="${CSS.escape(organ)}"]`);
  if (!box) return;
  for (const other of document.querySelectorAll("details.organ[open]")) if (other !== box) other.open = false;
  box.open = true;
  box.fillUp();
}
