// One stream for the page, whatever views want of it; it is opened anew when other devices are wanted.
const listeners = new Set();
let source = null, devices = "", told = "";

export const connection = new EventTarget();

function state(next) {
  if (next !== told) connection.dispatchEvent(new CustomEvent("change", { detail: told = next }));
}

function open() {
  source?.close();
  source = new EventSource("/api/v1/live?devices=" + encodeURIComponent(devices));
  source.onopen = () => state("on");
  source.onerror = () => {
    state("off");
    // A refusal ends an EventSource for good; a broken line does not.
    if (source.readyState === EventSource.CLOSED) setTimeout(open, 5000);
  };
  for (const kind of ["reading", "alert", "counters"]) {
    source.addEventListener(kind, e => {
      const data = JSON.parse(e.data);
      for (const one of Array.isArray(data) ? data : [data]) tell(kind, one);
    });
  }
}

export function tell(kind, one) {
  listeners.forEach(l => l(kind, one));
}

/** Which devices' readings come; without any, all: for a large fleet that is much. */
export function watch(ids) {
  const wanted = [...ids].slice(0, 50).sort().join(",");
  if (source && wanted === devices) return;
  devices = wanted;
  open();
}

/** Hears of everything until the signal says so. */
export function listen(listener, signal) {
  listeners.add(listener);
  signal.addEventListener("abort", () => listeners.delete(listener));
}

addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", e => { if (e.persisted && source) open(); });
