// The state of the page in its address, behind the #, which no request carries.

export function read(hash) {
  const found = new URLSearchParams(hash.replace(/^#/, ""));
  const changes = {};
  for (const one of found.getAll("set")) {
    const cut = one.indexOf("=");
    if (cut < 1) continue;
    try {
      changes[one.slice(0, cut)] = JSON.parse(one.slice(cut + 1));
    } catch {
      changes[one.slice(0, cut)] = one.slice(cut + 1);
    }
  }
  return { scenario: found.get("scenario"), patients: Number(found.get("patients")) || null, changes };
}

export function write(scenario, patients, changes) {
  const out = new URLSearchParams({ scenario, patients: String(patients) });
  for (const [key, value] of Object.entries(changes)) out.append("set", `${key}=${JSON.stringify(value)}`);
  return `#${out}`;
}
