// How the run compares with the last ones of the same lanes.

import { against, date, page, stateOfJob, time, usual, type State, type Verdict } from "./data";
import { h, place } from "./dom";
import { badge, jobURL, strip } from "./parts";

export function earlierView(): Element[] {
  const title = h("h2", { tabindex: -1 }, "Earlier runs");
  if (!page.earlier.length) return [title, h("p", { class: "muted" }, "No run of the same lanes was there before this one.")];
  const all = [{ id: page.run.id, started_at: page.run.started_at, verdict: page.run.verdict as Verdict | undefined, ms: page.run.ms, own: true }, ...page.earlier.map((e) => ({ ...e, own: false }))];
  const most = Math.max(...all.map((r) => r.ms), 1);
  return [
    title,
    h("table", { class: "runs" },
      h("thead", null, h("tr", null, h("th", { scope: "col" }, "Verdict"), h("th", { scope: "col" }, "Run"), h("th", { scope: "col", class: "wide" }, "Began"), h("th", { scope: "col", class: "number" }, "Took"), h("th", { scope: "col", class: "wide lengths" }, h("span", { class: "hidden" }, "Length")))),
      h("tbody", null, all.map((r) => h("tr", { class: r.own ? "own" : undefined }, h("td", { class: "verdict" }, badge(r.verdict ?? (page.run.state === "running" ? "running" : "unended"))),
        h("th", { scope: "row" }, r.own ? "this one" : h("span", { class: "name" }, r.id), h("span", { class: "narrow block muted" }, date(r.started_at))),
        h("td", { class: "wide" }, date(r.started_at)), h("td", { class: "number" }, time(r.ms)),
        h("td", { class: "wide" }, place(h("span", { class: `length is-${r.verdict ?? "none"}`, "aria-hidden": "true" }), { width: `${(100 * r.ms) / most}%` })))))),
    ...changed(),
    ...slower(),
  ];
}

function changed(): Element[] {
  const last = page.earlier[0]!;
  const bad = (v: State | undefined) => v === "failed" || v === "cancelled" || v === "skipped";
  const rows = page.jobs.map((j) => ({ job: j, now: stateOfJob(j), before: (Object.hasOwn(last.jobs, j.id) ? last.jobs[j.id]!.verdict : undefined) as State | undefined })).filter((r) => (r.now !== r.before) && !(r.now === "cached" && r.before === "passed") && !(r.now === "passed" && r.before === "cached"));
  if (!rows.length) return [h("p", { class: "muted" }, "Every job ended as in the run before.")];
  rows.sort((a, b) => Number(bad(b.now)) - Number(bad(a.now)));
  return [h("h3", null, "Other than in the run before"), h("table", null,
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "Job"), h("th", { scope: "col" }, "Before"), h("th", { scope: "col" }, "Now"), h("th", { scope: "col", class: "wide" }, "Earlier"))),
    h("tbody", null, rows.map((r) => h("tr", null, h("th", { scope: "row" }, h("a", { href: jobURL(r.job.id) }, r.job.id)), h("td", { class: "verdict" }, r.before ? badge(r.before) : "not there"), h("td", { class: "verdict" }, badge(r.now)), h("td", { class: "wide" }, strip(r.job.id))))))];
}

function slower(): Element[] {
  const rows = page.jobs.map((j) => ({ job: j, than: usual(j.id) })).filter((r) => r.than !== undefined && r.job.ms && against(r.job.ms, r.than));
  if (!rows.length) return [];
  rows.sort((a, b) => Math.abs(b.job.ms - b.than!) - Math.abs(a.job.ms - a.than!));
  return [h("h3", null, "Slower or faster than usual"), h("table", null,
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "Job"), h("th", { scope: "col", class: "number" }, "Usually"), h("th", { scope: "col", class: "number" }, "Now"), h("th", { scope: "col", class: "number" }, "Difference"))),
    h("tbody", null, rows.slice(0, 20).map((r) => h("tr", null, h("th", { scope: "row" }, h("a", { href: jobURL(r.job.id) }, r.job.id)), h("td", { class: "number" }, time(r.than!)), h("td", { class: "number" }, time(r.job.ms)), h("td", { class: "number" }, against(r.job.ms, r.than))))))];
}
