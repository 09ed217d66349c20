// Take it with you: scenario, command line, link, tables, figures.

import { at, h, show } from "./dom.js";
import { own } from "./api.js";

const TABLES = ["summary", "patients", "metastases", "events"];
const FIGURES = { organ_counts: "organs", incidence: "incidence", body: "body", survival: "survival", funnel: "funnel", swimmer: "swimmer" };

const link = (path, text, label) => h("a", { href: own(path), download: true, "aria-label": label || null }, text);

export function draw(command, address) {
  const line = h("code", { id: "command" }, command);
  const field = h("input", { id: "link", readonly: true, value: address, "aria-label": "Link to this page with its knobs" });
  show(at("take"),
    h("dl", {},
      h("dt", {}, "Command line that gives these numbers"), h("dd", {}, line, " ", copier("command line", () => line.textContent)),
      h("dt", {}, "Link that opens this page with these knobs (while the explorer runs)"), h("dd", {}, field, " ", copier("link", () => field.value)),
      h("dt", {}, "Scenario"), h("dd", { class: "row" }, link("take/scenario.toml", "what differs (TOML)"), link("take/whole.toml", "all of it (TOML)")),
      h("dt", {}, "Results"), h("dd", { class: "row" }, link("take/results.zip", "results folder (ZIP)"),
        TABLES.map((name) => h("span", {}, `${name}: `, link(`take/${name}.csv`, "CSV", `${name} as CSV`), " ", link(`take/${name}.parquet`, "Parquet", `${name} as Parquet`)))),
      h("dt", {}, "Figures"), h("dd", { class: "row" }, Object.entries(FIGURES).map(([name, title]) => h("span", {}, `${title}: `,
        ["png", "svg", "pdf"].map((kind) => [link(`figure/${name}.${kind}`, kind.toUpperCase(), `figure ${title} as ${kind.toUpperCase()}`), " "]))))));
}

function copier(what, text) {
  const button = h("button", { type: "button", "aria-label": `Copy the ${what}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy it";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return button;
}
