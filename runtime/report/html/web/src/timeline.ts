// The timeline: what was when, in phases, and what the end had to wait for.

import { against, onPath, page, stateOf, stateOfJob, time, type Phase, type State } from "./data";
import { h, place, type Child } from "./dom";
import { cut, jobURL, nodeURL } from "./parts";

interface Row {
  name: string;
  url?: string;
  state: State | "run";
  start: number;
  end: number;
  phases: Phase[];
  critical: boolean;
  took: number;
}

const total = Math.max(1, page.run.ms);
let zoom = 1;
let onlyPath = false;

function rows(): Row[] {
  const list: Row[] = [];
  const row = (name: string, url: string | undefined, state: Row["state"], phases: Phase[], start: number, end: number, critical: boolean, took = end - start) =>
    list.push({ name, url, state, start, end, critical, took, phases: phases.length ? phases : [{ phase: state === "run" ? name : "command", start, end }] });
  const end = (p: Phase) => p.end ?? total;
  for (const p of page.phases) row(p.phase, undefined, "run", [p], p.start, end(p), page.path.some((s) => !s.node && s.what === p.phase));
  for (const n of page.nodes) {
    if (n.kind === "build" && n.start !== undefined) row(n.id, nodeURL(n.id), stateOf(n, true), n.phases ?? [], n.start, n.end ?? total, onPath.has(n.id));
  }
  const execute = new Map(page.nodes.filter((n) => n.kind === "guest" || n.kind === "host").map((n) => [n.job, n]));
  for (const j of page.jobs) {
    const node = execute.get(j.id);
    const phases = j.phases ?? [];
    const begins = phases.map((p) => p.start);
    if (node?.start !== undefined) begins.push(node.start);
    if (!begins.length) continue;
    const ends = phases.map(end);
    if (node?.start !== undefined) ends.push(node.end ?? total);
    row(j.id, jobURL(j.id), stateOfJob(j), phases, Math.min(...begins), Math.max(...ends), node !== undefined && onPath.has(node.id), j.ms || undefined);
  }
  return list.sort((a, b) => a.start - b.start || a.end - b.end);
}

const percent = (ms: number) => `${(100 * Math.max(0, Math.min(ms, total))) / total}%`;

// ticks are round times, at most about so many.
function ticks(most: number): number[] {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 144e5, 288e5, 864e5];
  const step = steps.find((s) => total / s <= most) ?? total;
  return Array.from({ length: Math.floor(total / step) + 1 }, (_, i) => i * step);
}

const tick = (ms: number) => (ms === 0 ? "0" : ms < 1000 ? ms + " ms" : ms < 60_000 ? ms / 1000 + " s" : ms < 3_600_000 ? Math.round(ms / 6000) / 10 + " min" : Math.round(ms / 360_000) / 10 + " h");

function bar(r: Row): HTMLElement {
  const said = r.phases.map((p) => `${p.phase} ${time((p.end ?? total) - p.start)}`).join(", ");
  return h("div", { class: "track", role: "img", "aria-label": `from ${time(r.start)} to ${time(r.end)}: ${said}` },
    place(h("span", { class: "span" }), { left: percent(r.start), width: percent(r.end - r.start) }),
    r.phases.map((p) => place(h("span", { class: `bar phase-${p.phase} is-${r.state}`, title: `${p.phase}: ${time((p.end ?? total) - p.start)}, at ${time(p.start)}` }),
      { left: percent(p.start), width: percent((p.end ?? total) - p.start) })));
}

function chart(): HTMLElement {
  const marks = ticks(Math.max(2, Math.floor((zoom * (Math.min(window.innerWidth, 1240) - 80)) / 90)));
  const list = rows().filter((r) => !onlyPath || r.critical);
  const table = h("table", { class: "gantt" },
    h("caption", { class: "hidden" }, "When each step ran"),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "Step"),
      h("th", { scope: "col", class: "axis" }, h("span", { class: "hidden" }, "When"), h("span", { class: "track", "aria-hidden": "true" }, marks.filter((t) => t < 0.93 * total).map((t) => place(h("span", { class: "tick" }, tick(t)), { left: percent(t) })))),
      h("th", { scope: "col", class: "number" }, "Took"))),
    h("tbody", null, list.map((r) => h("tr", { class: r.critical ? "critical" : undefined },
      h("th", { scope: "row" }, r.url ? h("a", { href: r.url, title: r.name }, cut(r.name, 30)) : r.name, r.critical && h("span", { class: "hidden" }, " (critical path)")),
      h("td", null, bar(r)), h("td", { class: "number" }, time(r.took))))));
  return place(table, { "--zoom": String(zoom) });
}

function path(): Child {
  if (!page.path.length) return null;
  const than = page.usual_ms;
  return h("section", { "aria-labelledby": "path-title" },
    h("h2", { id: "path-title" }, "Critical path"),
    h("p", { class: "muted" }, "What the end had to wait for: of all that a step depends on always that which ended last.",
      than !== undefined && ` Usual is the median of ${page.earlier.length === 1 ? "the run" : page.earlier.length + " runs"} before.`),
    h("table", { class: "path" },
      h("thead", null, h("tr", null, h("th", { scope: "col", class: "number" }, "At"), h("th", { scope: "col" }, "Step"), h("th", { scope: "col", class: "number" }, "Took"), than !== undefined && h("th", { scope: "col", class: "number" }, "Usually"))),
      h("tbody", null, page.path.map((s) => h("tr", null, h("td", { class: "number" }, time(s.start)),
        h("th", { scope: "row" }, s.node ? h("a", { href: s.job ? jobURL(s.job) : nodeURL(s.node) }, s.node) : s.what, s.what === "wait for a slot" && " waits for a slot",
          s.parts?.length ? h("span", { class: "muted block" }, s.parts.map((p) => `${p.phase} ${time(p.duration_ms)}`).join(", ")) : null),
        h("td", { class: "number" }, time(s.ms)),
        than !== undefined && h("td", { class: "number" }, s.usual_ms !== undefined ? time(s.usual_ms) : "", s.usual_ms !== undefined && against(s.ms, s.usual_ms) ? h("span", { class: "block muted" }, against(s.ms, s.usual_ms)) : null))))));
}

export function timelineView(): Element[] {
  const slot = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Timeline" }, chart());
  const draw = () => slot.replaceChildren(chart());
  const by = (factor: number) => () => { zoom = Math.max(1, Math.min(64, zoom * factor)); draw(); };
  const used = [...new Set(rows().flatMap((r) => r.phases.map((p) => p.phase)))];
  return [
    h("h2", { tabindex: -1 }, "Timeline"),
    h("div", { class: "tools" },
      h("button", { type: "button", "aria-label": "Zoom in", onclick: by(2) }, "+"),
      h("button", { type: "button", "aria-label": "Zoom out", onclick: by(0.5) }, "−"),
      h("button", { type: "button", "aria-pressed": String(onlyPath), onclick: (e: Event) => {
        onlyPath = !onlyPath;
        (e.currentTarget as Element).setAttribute("aria-pressed", String(onlyPath));
        draw();
      } }, "Only the critical path"),
      h("ul", { class: "legend", "aria-label": "Colours" }, used.map((p) => h("li", null, h("span", { class: `swatch phase-${p}`, "aria-hidden": "true" }), p)), h("li", null, h("span", { class: "swatch thick", "aria-hidden": "true" }), "critical path"))),
    slot,
    path(),
  ].filter((e) => e instanceof Element);
}
