import { h, svg } from "./dom.js";

const NodeLine = /^\s*(\w+)\["(.*)"\]\s*$/, StageLine = /^\s*subgraph\s+(\w+)\s*\["(.*)"\]/, EdgeLine = /^\s*(\w+)\s*-->(?:\|[^|]*\|)?\s*(\w+)\s*$/;
const entities = { "&quot;": "\"", "&lt;": "<", "&gt;": ">", "&amp;": "&" };
const plain = text => text.replace(/&(quot|lt|gt|amp);/g, e => entities[e]);

/** Nodes, stages and edges of the flowchart that a query explains itself with. */
export function parsePlan(text) {
  const nodes = new Map(), edges = [], stages = [];
  let stage = null;
  for (const line of text.split("\n")) {
    let m;
    if ((m = StageLine.exec(line))) stages.push(stage = plain(m[2]));
    else if (/^\s*end\s*$/.test(line)) stage = null;
    else if ((m = NodeLine.exec(line))) nodes.set(m[1], { id: m[1], text: plain(m[2]), stage });
    else if ((m = EdgeLine.exec(line))) edges.push([m[1], m[2]]);
  }
  return { nodes, stages, edges: edges.filter(([a, b]) => nodes.has(a) && nodes.has(b)) };
}

const Width = 184, Height = 46, GapX = 30, GapY = 18, Edge = 12;

/** Columns by the longest way from a source; a plan has no circles, and what would be one is cut by the limit. */
function columnsOf({ nodes, edges }) {
  const column = new Map([...nodes.keys()].map(id => [id, 0]));
  for (let round = 0; round < nodes.size; round++) {
    let isChanged = false;
    for (const [from, to] of edges) {
      if (column.get(to) < column.get(from) + 1 && column.get(from) + 1 < nodes.size) {
        column.set(to, column.get(from) + 1);
        isChanged = true;
      }
    }
    if (!isChanged) break;
  }
  const columns = [];
  for (const [id, c] of column) (columns[c] ??= []).push(id);
  return Array.from(columns, c => c ?? []);
}

const cut = (text, most) => text.length > most ? text.slice(0, most - 1) + "…" : text;

function box(node, x, y) {
  const [first, ...rest] = node.text.split(" ");
  return svg("g", {}, svg("title", {}, `${node.text}${node.stage ? ` (runs in ${node.stage})` : ""}`),
    svg("rect", { class: "box", x, y, width: Width, height: Height, rx: 7 }),
    svg("text", { x: x + 10, y: y + (rest.length ? 19 : 28), "font-weight": 600 }, cut(first, 21)),
    svg("text", { x: x + 10, y: y + 36, class: "stage-name" }, cut(rest.join(" "), 26)));
}

/** The plan as a drawing, and in words for who can't see it. */
export function drawPlan(text, name) {
  const plan = parsePlan(text);
  if (plan.nodes.size === 0) return h("pre", { tabindex: 0 }, text);
  const columns = columnsOf(plan), tall = Math.max(...columns.map(c => c.length)), place = new Map();
  const height = tall * (Height + GapY) - GapY + 2 * Edge, width = columns.length * (Width + GapX) - GapX + 2 * Edge;
  columns.forEach((ids, c) => {
    const top = (height - (ids.length * (Height + GapY) - GapY)) / 2;
    ids.forEach((id, r) => place.set(id, [Edge + c * (Width + GapX), top + r * (Height + GapY)]));
  });
  const arrow = "arrow-" + Math.random().toString(36).slice(2);
  const drawing = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    svg("defs", {}, svg("marker", { id: arrow, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { d: "M0 0L8 4L0 8z" }))),
    ...plan.edges.map(([a, b]) => {
      const [x1, y1] = place.get(a), [x2, y2] = place.get(b), from = x1 + Width, middle = (from + x2) / 2;
      return svg("path", { d: `M${from} ${y1 + Height / 2}C${middle} ${y1 + Height / 2} ${middle} ${y2 + Height / 2} ${x2} ${y2 + Height / 2}`, "marker-end": `url(#${arrow})` });
    }),
    ...[...plan.nodes.values()].map(node => box(node, ...place.get(node.id))));
  const spoken = [...plan.nodes.values()].map(n => n.text).join(", then ");
  return h("div", { class: "plan", tabindex: 0, role: "img", "aria-label": `Plan of ${name}: ${spoken}` }, drawing);
}
