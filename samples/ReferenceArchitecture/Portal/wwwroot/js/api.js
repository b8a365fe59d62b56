let csrf = "";
export const session = { user: "", name: "", roles: [] };

export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || `The server answered with ${status}.`);
    this.status = status;
  }
}

async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Problem(0, { detail: "The portal can't be reached. Is the network there?" });
  }
  if (response.status === 401 && path !== "/session") leave();
  const text = await response.text();
  let answer = null;
  try { answer = text ? JSON.parse(text) : null; } catch { /* not ours */ }
  if (!response.ok) throw new Problem(response.status, answer);
  return answer;
}

export function leave() {
  location.assign("/welcome?returnUrl=" + encodeURIComponent(location.pathname + location.search));
}

export const api = {
  get: (path, parameters = {}) => {
    const query = new URLSearchParams(Object.entries(parameters).filter(([, v]) => v !== undefined && v !== null && v !== ""));
    return call("GET", "/api/v1" + path + (query.size ? "?" + query : ""));
  },
  post: (path, body) => call("POST", "/api/v1" + path, body),
  put: (path, body) => call("PUT", "/api/v1" + path, body),
  delete: path => call("DELETE", "/api/v1" + path),
};

export async function openSession() {
  const found = await call("GET", "/session");
  csrf = found.csrf;
  Object.assign(session, { user: found.user, name: found.name });
  try {
    session.roles = (await api.get("/me")).roles;
  } catch { /* the pages work without knowing roles: the decision point decides anyway */ }
}

export async function logOut() {
  const { next } = await call("POST", "/logout");
  location.assign(next);
}
