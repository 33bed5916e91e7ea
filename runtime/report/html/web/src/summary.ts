// What is seen first: what went wrong, and all jobs.

import { jobs, page, stateOfJob, stateOfNode, time, why, type Job } from "./data";
import { h } from "./dom";
import { jobTable } from "./table";
import { badge, code, jobURL, lines, news, nodeURL } from "./parts";

// Of so many failures the last lines are open; those of others are a step away.
const maxOpen = 3;

export function summaryView(): Element[] {
  const red = page.jobs.filter((j) => stateOfJob(j) === "failed");
  const cut = page.jobs.filter((j) => j.last && j.verdict !== "failed" && page.run.state !== "running");
  const builds = page.nodes.filter((n) => n.verdict === "failed" && !n.job);
  return [
    ...notes(),
    builds.length ? h("section", { class: "failures", "aria-label": "Builds that failed" }, builds.map((n) =>
      h("article", { class: "card failure" }, h("h3", null, badge(stateOfNode(n)), " ", h("a", { href: nodeURL(n.id) }, n.id)), h("p", { class: "reason is-failed" }, why(n))))) : null,
    red.length ? section("What failed", red) : null,
    cut.length && !red.length ? section("What did not end", cut) : null,
    page.run.prepare_only ? h("p", { class: "muted" }, "Only payloads were built: no job ran.") : null,
    jobTable(),
    lanes(),
  ].filter((e) => e !== null);
}

function section(title: string, list: Job[]): HTMLElement {
  return h("section", { class: "failures", "aria-labelledby": "failures-title" }, h("h2", { id: "failures-title" }, title), list.slice(0, 20).map(failure),
    list.length > 20 && h("p", { class: "muted" }, `and ${list.length - 20} more, in the table below`));
}

function failure(job: Job, i: number): HTMLElement {
  const past = news(job.id);
  const last = job.last?.length ? lines(job.last, `Last lines of ${job.id}`) : null;
  return h("article", { class: `card failure state-${stateOfJob(job)}` },
    h("h3", null, badge(stateOfJob(job), true), " ", h("a", { href: jobURL(job.id) }, job.id), " ", h("span", { class: "muted" }, job.lane, job.ms ? " · " + time(job.ms) : "")),
    h("p", { class: "reason is-" + stateOfJob(job) }, why(job) || "not ended", past && h("span", { class: "muted" }, " · ", past)),
    last && (i < maxOpen ? last : h("details", null, h("summary", null, "Last lines"), last)),
    h("p", { class: "links" }, h("a", { href: jobURL(job.id) }, "All of the log"), job.artifacts?.length ? [" · ", h("a", { href: "#/artifacts" }, "Artifacts")] : null));
}

// notes are what is wrong with the run itself.
function notes(): Element[] {
  const out: Element[] = [];
  const note = (kind: string, ...what: Parameters<typeof h>[2][]) => out.push(h("p", { class: `note ${kind}`, role: "note" }, ...what));
  if (page.run.state === "killed") note("bad", `pikaci was killed: what follows is as of its last event, ${time(page.run.ms)} after the run began. `, code(`pikaci exec --resume ${page.run.id}`), " carries it on.");
  if (page.run.state === "unfinished") note("bad", "The run has no end: it goes on, or pikaci was killed.");
  if (page.run.state === "running") note("", "The run went on as this was written.");
  if (page.run.damaged) note("bad", "The record is damaged, and shown as far as it can be read: ", page.run.damaged);
  if (page.run.interrupted) note("", page.run.interrupted);
  if (page.run.resumed) note("", `Carried on ${page.run.resumed === 1 ? "once" : page.run.resumed + " times"} after pikaci was killed.`);
  for (const ph of page.phases) if (ph.error) note("bad", `${ph.phase} failed: ${ph.error}`);
  if (page.setup?.length) out.push(lines(page.setup, "Last lines of the host's set-up"));
  if (page.run.verdict === "failed" && page.run.reason && ![...page.jobs, ...page.nodes].some((o) => o.verdict === "failed")) note("bad", page.run.reason);
  for (const l of page.left) note("bad", `Left behind: ${l.name}. Remove it with `, code(l.command ?? ""));
  return out;
}

function lanes(): Element | null {
  if (page.lanes.length < 2) return null;
  const mine = (id: string) => [...jobs.values()].filter((j) => j.lane === id).length;
  const ran = page.lanes.filter((l) => l.chosen);
  const others = page.lanes.filter((l) => !l.chosen);
  const table = (list: typeof ran) => h("table", null,
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "Verdict"), h("th", { scope: "col" }, "Lane"), h("th", { scope: "col", class: "number" }, "Jobs"), h("th", { scope: "col", class: "wide" }, "Why it ran"))),
    h("tbody", null, list.map((l) => h("tr", null, h("td", { class: "verdict" }, l.verdict ? badge(l.verdict) : ""), h("th", { scope: "row" }, l.title || l.id, h("span", { class: "muted block" }, l.title && l.title !== l.id ? l.id : "")),
      h("td", { class: "number" }, mine(l.id) || ""), h("td", { class: "wide" }, l.why ?? "", l.waited_for?.length ? h("span", { class: "block muted" }, `waited for ${l.waited_for.join(", ")}`) : null)))));
  return h("section", { "aria-labelledby": "lanes-title" }, h("h2", { id: "lanes-title" }, "Lanes"), table(ran),
    others.length > 0 && h("details", { class: "card" }, h("summary", null, `${others.length} not chosen`), h("ul", null, others.map((l) => h("li", null, l.title || l.id, " ", h("span", { class: "muted" }, l.why ?? ""))))));
}
