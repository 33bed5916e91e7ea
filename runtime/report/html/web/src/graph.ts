// The graph, as the plan's picture lays it out, with how each node ended.

import { nodes, onPath, page, stateOfNode, time, why } from "./data";
import { h, place, s } from "./dom";
import { cut, jobURL, nodeURL, word } from "./parts";

let scale = 0; // 0: as there is room, and so that it can be read

export function graphView(): Element[] {
  const title = h("h2", { tabindex: -1 }, "Graph");
  const graph = page.graph;
  if (!graph) return [title, h("p", { class: "muted" }, page.nodes.length ? "The graph has too many nodes to be drawn." : "The run's plan is not in its record: there is no graph.")];
  const picture = draw();
  const view = h("div", { class: "scroll graph", tabindex: 0, role: "region", "aria-label": "Graph of the run" }, picture);
  const fit = () => Math.min(1, (view.clientWidth - 2) / graph.width);
  const now = () => scale || Math.max(0.7, fit());
  const size = () => place(picture, { width: `${graph.width * now()}px`, height: `${graph.height * now()}px` });
  // zoomTo keeps the middle of what is seen where it is.
  const zoomTo = (to: number) => {
    const before = now();
    const x = (view.scrollLeft + view.clientWidth / 2) / before;
    const y = (view.scrollTop + view.clientHeight / 2) / before;
    scale = to;
    size();
    view.scrollTo(x * to - view.clientWidth / 2, y * to - view.clientHeight / 2);
  };
  const by = (factor: number) => zoomTo(Math.max(0.1, Math.min(4, now() * factor)));
  view.addEventListener("wheel", (e) => {
    if (!e.ctrlKey) return;
    e.preventDefault();
    by(e.deltaY < 0 ? 1.15 : 1 / 1.15);
  }, { passive: false });
  view.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey) return;
    if (e.key === "+" || e.key === "=") by(1.25);
    else if (e.key === "-") by(0.8);
    else if (e.key === "0") zoomTo(fit());
  });
  drag(view);
  new ResizeObserver(size).observe(view);
  return [title,
    h("div", { class: "tools" },
      h("button", { type: "button", "aria-label": "Zoom in", onclick: () => by(1.25) }, "+"),
      h("button", { type: "button", "aria-label": "Zoom out", onclick: () => by(0.8) }, "−"),
      h("button", { type: "button", onclick: () => zoomTo(fit()) }, "Fit"),
      h("button", { type: "button", onclick: () => zoomTo(1) }, "100 %"),
      h("ul", { class: "legend" }, h("li", null, h("span", { class: "swatch thick", "aria-hidden": "true" }), "critical path"))),
    view];
}

// drag moves the picture with the mouse; what moved was no click.
function drag(view: HTMLElement): void {
  let from: { x: number; y: number } | null = null;
  let moved = false;
  view.addEventListener("pointerdown", (e) => {
    if (e.pointerType !== "mouse" || e.button !== 0) return;
    from = { x: e.clientX + view.scrollLeft, y: e.clientY + view.scrollTop };
    moved = false;
  });
  view.addEventListener("pointermove", (e) => {
    if (!from || !(e.buttons & 1)) return;
    if (Math.abs(from.x - e.clientX - view.scrollLeft) + Math.abs(from.y - e.clientY - view.scrollTop) > 4) moved = true;
    if (moved) view.scrollTo(from.x - e.clientX, from.y - e.clientY);
  });
  view.addEventListener("click", (e) => { if (moved) e.preventDefault(); moved = false; }, true);
  view.addEventListener("dragstart", (e) => e.preventDefault());
  window.addEventListener("pointerup", () => { from = null; });
}

function draw(): SVGSVGElement {
  const g = page.graph!;
  const follows = new Set(page.path.map((p, i) => `${page.path[i - 1]?.node} ${p.node}`));
  const ids = page.path.map((p) => p.node).filter((id) => id !== undefined);
  ids.forEach((id, i) => follows.add(`${ids[i - 1]} ${id}`));
  const lines = g.lines.map((l) => ({ ...l, critical: l.to.some((to) => follows.has(`${l.from} ${to}`)) }));
  lines.sort((a, b) => Number(a.critical) - Number(b.critical));
  return s("svg", { viewBox: `0 0 ${g.width} ${g.height}`, "aria-label": "Nodes and what they wait for" },
    s("defs", null, ["arrow", "arrow-critical"].map((id) => s("marker", { id, viewBox: "0 0 8 8", refX: 2, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" }, s("path", { d: "M0 0l8 4l-8 4z", class: id })))),
    g.bands.map((b) => [
      s("rect", { class: "band", x: b.x, y: b.y, width: b.width, height: b.height, rx: 8 }),
      s("text", { class: "band-title", x: b.x + 12, y: b.y + 17 }, b.title || b.lane || ""),
    ]),
    lines.map((l) => s("path", { class: l.critical ? "edge critical" : "edge", d: l.path, "marker-end": l.arrow ? `url(#arrow${l.critical ? "-critical" : ""})` : undefined })),
    g.boxes.map(box));
}

function box(b: { node: string; x: number; y: number; width: number; height: number }): SVGElement | false {
  const node = nodes.get(b.node);
  if (!node) return false;
  const state = stateOfNode(node);
  const instance = node.kind === "instance";
  const took = node.start !== undefined && node.end !== undefined ? time(node.end - node.start) : "";
  const name = node.job && !instance ? node.job : node.id;
  const below = [node.kind === "build" ? "build" : node.kind === "host" ? "host" : "", word(state), took].filter(Boolean).join(" · ");
  const room = Math.floor((b.width - 40) / 7.3);
  const texts = instance ? [cut([node.description ?? "instance", state === "passed" ? "" : word(state)].filter(Boolean).join(" · "), Math.floor(b.width / 5.8))] : [cut(name, room), below];
  return s("a", { class: `node kind-${node.kind} is-${state}${onPath.has(node.id) ? " critical" : ""}`, href: node.job && !instance ? jobURL(node.job) : nodeURL(node.id),
    "aria-label": [...texts, node.kind].join(" ") },
    s("title", null, [node.id, node.description, below, why(node)].filter(Boolean).join("\n")),
    s("rect", { x: b.x, y: b.y, width: b.width, height: b.height, rx: instance ? 7 : 6 }),
    !instance && s("path", { class: "stripe", d: `M${b.x + 3} ${b.y + 7}v${b.height - 14}` }),
    instance ? s("text", { class: "small", x: b.x + 8, y: b.y + 11 }, texts[0])
      : [s("text", { class: "name", x: b.x + 12, y: b.y + 16 }, texts[0], " "), s("text", { class: "small", x: b.x + 12, y: b.y + 30 }, texts[1])]);
}
