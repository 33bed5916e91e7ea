// The page: its head, and the view that the address names.

import { against, date, page, time, type State } from "./data";
import { h } from "./dom";
import { artifactsView } from "./artifacts";
import { earlierView } from "./earlier";
import { findView } from "./find";
import { graphView } from "./graph";
import { jobView, nodeView } from "./jobview";
import { badge } from "./parts";
import { summaryView } from "./summary";
import { timelineView } from "./timeline";

const views: [string, string, () => Element[]][] = [
  ["", "Summary", summaryView],
  ["timeline", "Timeline", timelineView],
  ["graph", "Graph", graphView],
  ["earlier", "Earlier runs", earlierView],
  ["artifacts", "Artifacts", artifactsView],
  ["search", "Search", findView],
];

const main = h("main", { id: "main" });
const nav = h("nav", { "aria-label": "Views" }, h("ul", null, views.map(([path, name]) => h("li", null, h("a", { href: "#/" + path }, name)))));

function head(): HTMLElement {
  const r = page.run;
  const state: State = r.verdict ?? (r.state === "running" ? "running" : "unended");
  const lanes = page.lanes.filter((l) => l.chosen).map((l) => l.title || l.id);
  const than = against(r.ms, page.usual_ms);
  return h("header", { class: `top state-${state}` },
    h("h1", null, badge(state, false, r.verdict ?? r.state), " ", h("span", { class: "name" }, lanes.length > 3 ? `${lanes.length} lanes` : lanes.join(", "))),
    h("p", { class: "about" },
      (r.reason || r.verdict === "passed") && h("span", null, r.reason || "all passed"),
      h("span", null, time(r.ms), page.usual_ms !== undefined && r.verdict && h("span", { class: "muted" }, ` (usually ${time(page.usual_ms)}${than ? ", " + than : ""})`)),
      h("time", { datetime: r.started_at }, date(r.started_at)),
      r.snapshot?.git_head && h("span", null, h("code", null, r.snapshot.git_head.slice(0, 10)), r.snapshot.git_dirty && " with changes"),
      h("span", null, h("code", null, r.id))),
    nav);
}

// route shows what the address names: #/, #/timeline, #/job/ID/L12.
function route(focus: boolean): void {
  const parts = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  const [kind = "", id = "", at = ""] = parts;
  const view = views.find(([path]) => path === kind) ?? views[0]!;
  const line = /^L(\d+)$/.exec(at);
  let content: Element[];
  let title = view[1];
  if (kind === "job") content = jobView((title = id), line ? Number(line[1]) : undefined);
  else if (kind === "node") content = nodeView((title = id));
  else content = view[2]();
  main.replaceChildren(...content);
  for (const a of nav.querySelectorAll("a")) {
    if (a.hash === "#/" + view[0] && kind === view[0]) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  document.title = `${page.run.verdict ?? page.run.state}: ${title} · run ${page.run.id}`;
  if (!focus) return;
  window.scrollTo(0, 0);
  main.querySelector<HTMLElement>("h2[tabindex]")?.focus({ preventScroll: true });
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

document.body.append(
  h("a", { class: "skip", href: "#main", onclick: (e: Event) => { e.preventDefault(); main.setAttribute("tabindex", "-1"); main.focus(); } }, "Skip to the content"),
  head(), main,
  h("footer", null, h("p", { class: "muted small" }, `pikaci ${page.run.pikaci} · ${page.run.run_dir} · plan ${page.run.plan_digest.slice(0, 19)}`)));
window.addEventListener("hashchange", () => route(true));
route(false);
