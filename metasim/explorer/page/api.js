// What the page asks the explorer for. Addresses are relative to the page's own, which holds the token.

let session = null;

export class Refused extends Error {
  constructor(found) {
    super(found.message);
    this.mistakes = found.mistakes || [];
    this.gone = Boolean(found.gone);
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Refused({ message: "The explorer does not answer; was it ended?", gone: true });
  }
  const type = answer.headers.get("content-type") || "";
  const found = type.includes("json") ? await answer.json() : { message: await answer.text() };
  if (!answer.ok) throw new Refused(found);
  return found;
}

const post = (path, body) =>
  ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

export async function open(scenario) {
  const found = await post("api/open", { scenario });
  session = found.session;
  return found;
}

export const own = (path) => `api/s/${session}/${path}`;
export const get = (path) => ask(own(path));
export const send = (path, body = {}) => post(own(path), body);
export const upload = (path, data) => ask(own(path), { method: "POST", body: data });

export function leave() {
  if (session) fetch(own("close"), { method: "POST", body: "{}", keepalive: true });
}
