import uPlot from "/lib/uplot/uPlot.esm.js";
import { h } from "./dom.js";
import { format } from "./format.js";

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }), seconds = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const still = matchMedia("(prefers-reduced-motion: reduce)");

function ticks(_, splits, axis, space, step) {
  let day = "";
  return splits.map(t => {
    const today = date.format(t * 1000), time = step >= 86400 ? "" : step < 60 ? seconds.format(t * 1000) : clock.format(t * 1000);
    // The date stands where it changes.
    const text = today === day ? time : time ? `${time}\n${today}` : today;
    day = today;
    return text;
  });
}

/** The value under the pointer; without one the latest. */
function said(plot, value, series, text) {
  const shown = value ?? plot.data[series].findLast(v => v != null);
  return shown == null ? "–" : text(shown);
}

/** A chart over time of one or several lines. `series`: labels; with `band` the first two are a range. `set([[seconds...], [values...], ...])`; who can't see it finds the latest values in words below. */
export function chart(label, series, signal, { band = false, height = 260 } = {}) {
  const box = h("div", { class: "chart", role: "img", "aria-label": label });
  const spoken = h("p", { class: "hidden" });
  const root = h("div", {}, box, spoken);
  let plot = null, data = [[], ...series.map(() => [])], pending = 0;

  const options = () => ({
    width: Math.max(box.clientWidth, 200), height, padding: [10, 24, 0, 0],
    cursor: { points: { size: 8 } }, legend: { live: true },
    axes: [{ values: ticks }, { size: 56 }].map(a => ({ ...a, stroke: colour("--muted"), font: "12px system-ui, sans-serif", grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } })),
    // One reading alone has no span of its own; without this its axis would be years long.
    scales: { x: { range: (_, from, to) => from == null ? [from, to] : to - from < 60 ? [from - 30, to + 30] : [from, to] } },
    bands: band ? [{ series: [2, 1], fill: colour("--accent-soft") }] : [],
    series: [
      { value: (u, v) => said(u, v, 0, t => `${date.format(t * 1000)} ${seconds.format(t * 1000)}`) },
      ...series.map((name, i) => {
        const isRange = band && i < 2;
        return {
          label: name, stroke: colour(isRange ? "--line" : "--c" + (band ? 0 : i % 6)), width: isRange ? 1 : 2, spanGaps: true,
          points: { show: data[0].length < 3, size: 6 }, value: (u, v) => said(u, v, i + 1, format),
        };
      }),
    ],
  });

  function build() {
    plot?.destroy();
    plot = new uPlot(options(), data, box);
  }

  function paint() {
    pending = 0;
    if (!box.isConnected) return;
    if (!plot) build(); else plot.setData(data);
    spoken.textContent = series.map((name, i) => `${name}: ${format(data[i + 1].findLast(v => v != null))}`).join(", ");
  }

  const resize = new ResizeObserver(() => plot?.setSize({ width: Math.max(box.clientWidth, 200), height }));
  resize.observe(box);
  addEventListener("themechange", () => plot && build(), { signal });
  signal.addEventListener("abort", () => { resize.disconnect(); plot?.destroy(); plot = null; });
  return {
    root,
    set(next) {
      data = next;
      // Many readings a second are one picture; fewer still where motion is not wanted.
      pending ||= setTimeout(() => requestAnimationFrame(paint), still.matches ? 2000 : 100);
    },
  };
}

/** Keeps the latest readings of several lines on a common time axis; old ones go. */
export class Lines {
  constructor(count, seconds = 600, most = 2000) {
    Object.assign(this, { seconds, most, times: [], values: Array.from({ length: count }, () => []) });
  }

  add(line, time, value) {
    let at = this.times.length;
    while (at > 0 && this.times[at - 1] > time) at--;
    if (at > 0 && this.times[at - 1] === time) at--;
    else {
      this.times.splice(at, 0, time);
      this.values.forEach(v => v.splice(at, 0, null));
    }
    this.values[line][at] = value;
    const oldest = this.times[this.times.length - 1] - this.seconds;
    let drop = Math.max(0, this.times.length - this.most);
    while (this.times[drop] < oldest) drop++;
    if (drop > 0) {
      this.times.splice(0, drop);
      this.values.forEach(v => v.splice(0, drop));
    }
  }

  get data() { return [this.times, ...this.values]; }
}
