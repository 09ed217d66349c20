// The table of organs: now, the baseline, and what differs, with intervals.

import { at, h, show } from "./dom.js";
import { count, interval, percent, points, short } from "./numbers.js";

export function draw(numbers) {
  const { rows, compared, paired } = numbers;
  const origin = numbers.since === "diagnosis" ? "diagnosis" : "the start";
  at("counted").textContent = `${count(numbers.patients)} patients. Counted: ${numbers.counts}; 95 % intervals.`
    + (numbers.left_out ? ` ${count(numbers.left_out)} never diagnosed are left out.` : "")
    + (numbers.failed ? ` ${count(numbers.failed)} failed and are left out.` : "")
    + (compared ? ` Baseline: ${numbers.baseline}; ${paired ? "the same patients, so differences are paired" : "other patients, compared as independent groups"}.` : "");
  const heads = ["Organ", "Patients with at least one, %", ...(compared ? ["Difference, points", "Baseline, %"] : []),
    "Metastases per patient", `First, months since ${origin}`];
  const body = rows.map((row) => h("tr", { "data-organ": row.organ, class: row.organ === "any distant organ" ? "sum" : null },
    h("th", { scope: "row" }, row.label, row.site === "primary" ? " (local)" : ""),
    cell("now", percent(row.share_with), interval(row.share_low, row.share_high)),
    ...(compared ? [difference(row.share), cell("before", percent(row.share?.first), "")] : []),
    cell("mean", row.organ === "death" ? "" : short(row.metastases_per_patient), interval(row.metastases_low, row.metastases_high, short)),
    cell("first", typeof row.first_median_months === "number" ? row.first_median_months.toFixed(0) : "",
      interval(row.first_q1_months ?? null, row.first_q3_months, (x) => x.toFixed(0)))));
  show(at("rows"), h("table", {},
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, body)));
  show(at("notes"), numbers.notes.map((note) => h("li", {}, note)));
}

function cell(name, value, range) {
  return h("td", { class: name }, h("span", { class: "value" }, value), range && h("span", { class: "range" }, ` ${range}`));
}

// A sign as well as a weight, for those who see fewer colours.
function difference(found) {
  if (!found) return h("td", { class: "difference" });
  const sure = found.low > 0 || found.high < 0;
  const sign = sure ? (found.difference > 0 ? "▲ " : "▼ ") : "";
  return h("td", { class: `difference${sure ? " sure" : ""}` }, h("span", { class: "sign", "aria-hidden": "true" }, sign),
    h("span", { class: "value" }, points(found.difference)),
    h("span", { class: "range" }, ` (${points(found.low)} to ${points(found.high)})`));
}
