// The view of one job, and of one node that is no job's own.

import { against, jobs, nodes, page, size, stateOfJob, stateOfNode, time, usual, why, type Artifact, type Job, type Phase } from "./data";
import { h, type Child } from "./dom";
import { plain } from "./ansi";
import { badge, code, facts, jobURL, news, nodeURL, strip, word } from "./parts";
import { logOf } from "./logs";
import { Viewer } from "./viewer";

export function jobView(id: string, line?: number): Element[] {
  const job = jobs.get(id);
  if (!job) return [h("h2", { tabindex: -1 }, "No such job"), h("p", null, `This run has no job ${id}.`)];
  const reason = why(job);
  const slot = h("div", { class: "viewer" }, h("p", { class: "muted" }, "Unpacking the log …"));
  void logOf(id).then((log) => {
    if (!log) {
      slot.replaceChildren(h("p", { class: "muted" }, "It printed nothing."));
      return;
    }
    const viewer = new Viewer(job, log);
    slot.replaceWith(viewer.element);
    viewer.begin(line);
  }).catch((e) => slot.replaceChildren(h("p", { class: "note bad" }, `The log can't be unpacked: ${e}`)));
  return [
    h("h2", { tabindex: -1, class: "title" }, badge(stateOfJob(job)), " ", h("span", { class: "name" }, job.id)),
    reason && h("p", { class: `reason is-${stateOfJob(job)}` }, reason),
    about(job),
    h("h3", null, "Log"),
    (job.truncated ?? []).map((t) => h("p", { class: "muted" }, `${t.stream} was cut off: ${size(t.bytes)} went over the runner's ceiling.`)),
    slot,
    artifacts(job),
  ].flat().filter((e) => e instanceof Element);
}

function about(job: Job): HTMLElement {
  const than = usual(job.id);
  const more = against(job.ms, than);
  const builds = nodes.get("execute-" + job.id)?.depends_on?.filter((d) => nodes.get(d)?.kind === "build") ?? [];
  return facts([
    ["Lane", job.lane],
    ["Does", job.description],
    ["Time", job.ms ? [time(job.ms), than !== undefined && h("span", { class: "muted" }, ` (usually ${time(than)}${more ? ", " + more : ""})`)] : ""],
    ["Phases", phases(job.phases ?? [])],
    ["Earlier", page.earlier.length ? [strip(job.id), " ", h("span", { class: "muted" }, news(job.id))] : ""],
    ["Needs", join([...(job.needs ?? []).map((n) => h("a", { href: jobURL(n) }, n)), ...builds.map((b) => h("a", { href: nodeURL(b) }, b))])],
    ["Attempts", (job.retried ?? []).map((o, i) => h("span", { class: "block" }, `${i + 1}: ${o.verdict}${why(o) ? ": " + why(o) : ""}`))],
    ["Command", job.command ? code(job.command.map(quoted).join(" ")) : ""],
    ["Runs", [job.host ? "on the host" : "in an instance", job.timeout_secs ? `, at most ${time(job.timeout_secs * 1000)}` : ""]],
  ]);
}

// quoted is a word as a shell takes it.
const quoted = (w: string) => (/^[\w@%+=:,./-]+$/.test(w) ? w : `'${w.replaceAll("'", `'\\''`)}'`);

function join(list: Element[]): Child {
  return list.map((e, i) => [i ? ", " : "", e]);
}

function phases(list: Phase[]): Child {
  const total = new Map<string, number>();
  for (const p of list) total.set(p.phase, (total.get(p.phase) ?? 0) + (p.end ?? page.run.ms) - p.start);
  return [...total].map(([name, ms], i) => [i ? ", " : "", name, " ", h("span", { class: "muted" }, time(ms))]);
}

function artifacts(job: Job): Element[] {
  const list = job.artifacts ?? [];
  if (!list.length) return [];
  return [h("section", null, h("h3", null, "Artifacts ", h("span", { class: "muted" }, list.length)), artifactList(job.id, list))];
}

export function artifactList(job: string, list: Artifact[]): HTMLElement {
  return h("ul", { class: "artifacts" }, list.map((a) => {
    const url = artifactURL(job, a);
    return h("li", null, url ? h("a", { href: url, rel: "noopener noreferrer" }, plain(a.path)) : h("span", { class: "name" }, plain(a.path)), " ",
      h("span", { class: "muted" }, a.refused ? `refused: ${a.refused}` : size(a.bytes)));
  }));
}

// artifactURL is where an artifact lies beside the page; empty where it does
// not.
function artifactURL(job: string, a: Artifact): string {
  const parts = a.path.split("/");
  if (!page.links || a.refused || parts.some((p) => p === "" || p === "." || p === "..")) return "";
  return ["jobs", job, "artifacts", ...parts].map(encodeURIComponent).join("/");
}

export function nodeView(id: string): Element[] {
  const node = nodes.get(id);
  if (!node) return [h("h2", { tabindex: -1 }, "No such node"), h("p", null, `This run has no node ${id}.`)];
  const waiting = page.nodes.filter((n) => n.depends_on?.includes(id));
  const link = (n: { id: string; job?: string; kind: string }) => h("a", { href: n.job && n.kind !== "instance" ? jobURL(n.job) : nodeURL(n.id) }, n.id);
  const reason = why(node);
  return [
    h("h2", { tabindex: -1, class: "title" }, badge(stateOfNode(node)), " ", h("span", { class: "name" }, node.id)),
    reason ? h("p", { class: `reason is-${stateOfNode(node)}` }, reason) : null,
    facts([
      ["Kind", node.kind],
      ["Does", node.description],
      ["State", word(stateOfNode(node))],
      ["Began", node.start !== undefined ? `${time(node.start)} after the run` : ""],
      ["Took", node.start !== undefined && node.end !== undefined ? time(node.end - node.start) : ""],
      ["Phases", phases(node.phases ?? [])],
      ["Job", node.job ? h("a", { href: jobURL(node.job) }, node.job) : ""],
      ["Needs", join((node.depends_on ?? []).flatMap((d) => nodes.get(d) ?? []).map(link))],
      ["Needed by", join(waiting.map(link))],
    ]),
  ].filter((e) => e !== null);
}
