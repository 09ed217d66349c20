// Treatments: a switch for each, its start, its doses and dates; further ones from the catalogue.

import { at, h, show, words } from "./dom.js";
import { number } from "./knobs.js";

let items = [];
let about = null;
let told = () => {};

export function build(knobs, given, changed) {
  about = knobs;
  told = changed;
  items = knobs.treatments.map((one, i) => ({ ...one, place: i, on: true, fields: {} }));
  take(given);
  draw();
}

// Changes of a link: the list as a whole, or single values of it.
function take(given) {
  if (given.treatment !== undefined) {
    const list = Array.isArray(given.treatment) ? given.treatment : [];
    for (const item of items) item.on = false;
    for (const one of list) {
      const match = items.find((item) => !item.on && item.kind === one.kind && item.organ === (one.organ || ""));
      if (match) Object.assign(match, { on: true, short: one, start: one.start ?? match.start });
      else items.push(added(one));
    }
  }
  for (const [key, value] of Object.entries(given)) {
    const [head, i, ...name] = key.split(".");
    if (head === "treatment" && items[Number(i)]) items[Number(i)].fields[name.join(".")] = value;
  }
}

const added = (short) => ({
  kind: short.kind, care: "", organ: short.organ || "", start: short.start, place: null, on: true, fields: {}, short, knobs: [],
});

// What differs from the scenario's treatments, as changes of keys.
export function changes() {
  const out = {};
  const mine = items.filter((item) => !item.care);
  const as_before = mine.every((item) => item.on && item.place !== null);
  if (!as_before) {
    const list = mine.filter((item) => item.on).map(whole);
    out.treatment = list.length ? list : "none";
  }
  for (const item of items) {
    if (!as_before && !item.care) continue;
    for (const [name, value] of Object.entries(item.fields)) out[`treatment.${item.place}.${name}`] = value;
  }
  return out;
}

function whole(item) {
  const out = { ...item.short };
  for (const [name, value] of Object.entries(item.fields)) {
    if (name.startsWith("change.")) out.change = { ...out.change, [name.slice(7)]: value };
    else out[name] = value;
  }
  return out;
}

// The scenario that ran says what the catalogue gave treatments that were added.
export function learn(treatments) {
  const on = items.filter((item) => item.on);
  if (on.length !== treatments.length) return;
  let news = false;
  on.forEach((item, i) => {
    if (item.place === null && !item.knobs.length && treatments[i].knobs.length) {
      item.knobs = treatments[i].knobs;
      item.start = treatments[i].start;
      news = true;
    }
  });
  if (news) draw();
}

function draw() {
  show(at("treatments"), items.map(box), adder());
  const on = items.filter((item) => item.on).length;
  at("treatments-count").textContent = `(${on} of ${items.length} given)`;
}

function box(item, i) {
  const name = words(item.kind) + (item.organ ? `, ${words(item.organ)}` : "") + (item.care ? ` (standard care ${item.care})` : "");
  const id = `treatment-${i}`;
  const on = h("input", { type: "checkbox", id, checked: item.on, disabled: Boolean(item.care), onchange: () => {
    item.on = on.checked;
    draw();
    at(id).focus();
    told();
  } });
  const head = h("div", { class: "switch" }, on, h("label", { for: id }, name),
    item.place === null && h("button", { type: "button", "aria-label": `Remove ${name}`, onclick: () => {
      items.splice(i, 1);
      draw();
      told();
    } }, "Remove"));
  return h("div", { class: "treatment", "data-key": `treatment.${i}` }, head,
    item.on && start(item, `${id}-start`),
    item.on && item.knobs.map((knob) => {
      const row = number(knob, item.fields[knob.name] ?? given(item, knob), (_, value) => {
        if (value === undefined) delete item.fields[knob.name];
        else item.fields[knob.name] = value;
        told();
      });
      return row;
    }),
    h("span", { class: "wrong" }));
}

function given(item, knob) {
  const value = knob.name.startsWith("change.") ? item.short.change?.[knob.name.slice(7)] : item.short[knob.name];
  return typeof value === "number" ? value : knob.value;
}

// The event that it follows, or a day.
function start(item, id) {
  const now = item.fields.start ?? item.start;
  const day = typeof now === "number";
  const select = h("select", { id }, about.starts.map((name) => h("option", { value: name }, words(name))),
    h("option", { value: "" }, "a day"));
  select.value = day ? "" : now ?? "diagnosis";
  const field = h("input", { type: "number", min: 0, step: 1, value: day ? now : 0, "aria-label": "Day on which it starts",
    hidden: !day });
  const say = () => {
    field.hidden = select.value !== "";
    const value = select.value === "" ? Number(field.value) : select.value;
    if (value === item.start) delete item.fields.start;
    else item.fields.start = value;
    told();
  };
  select.addEventListener("change", say);
  field.addEventListener("change", say);
  return h("div", { class: "knob start" }, h("label", { for: id }, "starts with"), select, field);
}

function adder() {
  const kind = h("select", { id: "add-kind" }, about.kinds.map((name) => h("option", { value: name }, words(name))));
  const organ = h("select", { id: "add-organ" }, h("option", { value: "" }, "whole body"),
    about.organs.map((one) => h("option", { value: one.organ }, one.label)));
  return h("div", { class: "add" }, h("label", { for: "add-kind" }, "Add"), kind,
    h("label", { for: "add-organ" }, "in"), organ,
    h("button", { type: "button", onclick: () => {
      const short = { kind: kind.value };
      if (organ.value) short.organ = organ.value;
      items.push(added(short));
      draw();
      told();
    } }, "Add"));
}
