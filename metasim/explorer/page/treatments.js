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
// Where another care is given, the places of one's own treatments are others: all are listed then.
export function changes(care_given) {
  const out = {};
  const mine = items.filter((item) => !item.care);
  const turned = mine.some((item) => Object.keys(item.fields).length);
  const as_before = mine.every((item) => item.on && item.place !== null) && !(care_given && turned);
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

// Another care has other rules: what was turned of these is of no more use.
export function forget_rules() {
  for (const item of items) if (item.care) item.fields = {};
}

// The scenario that ran says what the catalogue gave treatments that were added.
export function learn(treatments) {
  const rules = treatments.map((one, i) => ({ ...one, place: i, on: true, fields: {} })).filter((one) => one.care);
  const known = items.filter((item) => item.care);
  if (rules.length !== known.length || rules.some((one, i) => one.care !== known[i].care)) {
    items = [...rules, ...items.filter((item) => !item.care)];
    draw();
  }
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
  const rules = items.filter((item) => item.care);
  const standard = rules.length && h("details", {}, h("summary", {}, `Standard care of the ${rules[0].care}: ${rules.length} rules`));
  if (standard) standard.addEventListener("toggle", () => {
    if (standard.open && !standard.querySelector(".treatment")) standard.append(...items.map((item, i) => item.care && box(item, i)).filter(Boolean));
  });
  show(at("treatments"), standard || null, items.map((item, i) => (item.care ? null : box(item, i))), adder());
  const mine = items.filter((item) => !item.care);
  at("treatments-count").textContent = `(${mine.filter((item) => item.on).length} of ${mine.length} given${rules.length ? ", beside standard care" : ""})`;
}

function box(item, i) {
  const name = words(item.kind) + (item.organ ? `, ${words(item.organ)}` : "") + (item.short.only_if ? ` if ${condition(item.short.only_if)}` : "");
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

// Whom it is given to, in words.
function condition(only_if) {
  const said = (value) => (Array.isArray(value) ? value.map(words).join(" or ")
    : value !== null && typeof value === "object" ? Object.entries(value).map(([end, x]) => `${end} ${typeof x === "object" ? said(x) : x}`).join(" ")
    : value === true ? "yes" : value === false ? "no" : words(value));
  return Object.entries(only_if).map(([key, value]) => `${words(key)} ${said(value)}`).join(", ");
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
