// The table of jobs, with filter and sort.

import { against, jobs, page, stateOfJob, time, usual, why, type Job, type State } from "./data";
import { h } from "./dom";
import { badge, jobURL, strip, word } from "./parts";

type Key = "verdict" | "job" | "lane" | "time" | "more";

// The order of verdicts: what wants to be looked at comes first.
const order: State[] = ["failed", "unended", "running", "cancelled", "skipped", "partial", "waiting", "passed", "cached"];

// more is how much longer than usual a job took; one that did not run took none.
const more = (j: Job) => (j.ms ? j.ms - (usual(j.id) ?? j.ms) : 0);
const by: Record<Key, (a: Job, b: Job) => number> = {
  verdict: (a, b) => order.indexOf(stateOfJob(a)) - order.indexOf(stateOfJob(b)),
  job: (a, b) => a.id.localeCompare(b.id),
  lane: (a, b) => (a.lane ?? "").localeCompare(b.lane ?? ""),
  time: (a, b) => b.ms - a.ms,
  more: (a, b) => more(b) - more(a),
};

// What was chosen stays while the page is open.
const chosen = { text: "", states: new Set<State>(), lane: "", key: "verdict" as Key, down: false };

export function jobTable(): HTMLElement {
  const place = new Map(page.jobs.map((j, i) => [j.id, i]));
  const states = order.map((s) => [s, page.jobs.filter((j) => stateOfJob(j) === s).length] as const).filter(([, n]) => n);
  const lanes = [...new Set(page.jobs.map((j) => j.lane ?? ""))].filter(Boolean).sort();
  const body = h("tbody", null);
  const said = h("p", { class: "muted small", role: "status" });
  const compared = page.earlier.length > 0;

  const fill = () => {
    const words = chosen.text.toLowerCase().split(/\s+/).filter(Boolean);
    const list = [...jobs.values()].filter((j) => (!chosen.states.size || chosen.states.has(stateOfJob(j)))
      && (!chosen.lane || j.lane === chosen.lane)
      && words.every((w) => `${j.id} ${j.lane ?? ""} ${why(j)} ${j.description ?? ""}`.toLowerCase().includes(w)));
    list.sort((a, b) => (by[chosen.key](a, b) || place.get(a.id)! - place.get(b.id)!) * (chosen.down ? -1 : 1));
    body.replaceChildren(...list.map(row));
    said.textContent = list.length === page.jobs.length ? "" : `${list.length} of ${page.jobs.length} jobs`;
    for (const th of head.querySelectorAll("th[data-key]")) {
      th.setAttribute("aria-sort", th.getAttribute("data-key") === chosen.key ? (chosen.down ? "descending" : "ascending") : "none");
    }
  };

  const row = (j: Job) => {
    const reason = why(j);
    return h("tr", null,
      h("td", { class: "verdict" }, badge(stateOfJob(j))),
      h("th", { scope: "row" }, h("a", { href: jobURL(j.id) }, j.id), lanes.length > 1 && h("span", { class: "muted narrow block" }, j.lane),
        reason && h("span", { class: "why" }, reason)),
      lanes.length > 1 && h("td", { class: "wide" }, j.lane),
      h("td", { class: "number" }, j.ms ? time(j.ms) : ""),
      compared && h("td", { class: "number wide muted" }, j.ms ? against(j.ms, usual(j.id)) : ""),
      compared && h("td", { class: "wide" }, strip(j.id)));
  };

  const column = (key: Key, name: string, cls = "") => h("th", { scope: "col", class: cls, "data-key": key, "aria-sort": "none" },
    h("button", { type: "button", onclick: () => {
      chosen.down = chosen.key === key && !chosen.down;
      chosen.key = key;
      fill();
    } }, name));
  const head = h("thead", null, h("tr", null, column("verdict", "Verdict"), column("job", "Job"),
    lanes.length > 1 && column("lane", "Lane", "wide"), column("time", "Time", "number"),
    compared && column("more", "Over usual", "number wide"), compared && h("th", { scope: "col", class: "wide" }, "Earlier")));

  const tools = h("div", { class: "tools" },
    h("input", { type: "search", value: chosen.text, placeholder: "Filter jobs", "aria-label": "Filter jobs", spellcheck: "false", autocomplete: "off",
      oninput: (e: Event) => { chosen.text = (e.currentTarget as HTMLInputElement).value; fill(); } }),
    states.length > 1 && h("span", { class: "choices", role: "group", "aria-label": "Only these verdicts" }, states.map(([s, n]) =>
      h("button", { type: "button", class: `chip is-${s}`, "aria-pressed": String(chosen.states.has(s)), onclick: (e: Event) => {
        if (!chosen.states.delete(s)) chosen.states.add(s);
        (e.currentTarget as Element).setAttribute("aria-pressed", String(chosen.states.has(s)));
        fill();
      } }, `${n} ${word(s)}`))),
    lanes.length > 1 && h("select", { "aria-label": "Only this lane", onchange: (e: Event) => { chosen.lane = (e.currentTarget as HTMLSelectElement).value; fill(); } },
      h("option", { value: "" }, "all lanes"), lanes.map((l) => h("option", { value: l, selected: l === chosen.lane }, l))));
  fill();
  return h("section", { "aria-labelledby": "jobs-title" }, h("h2", { id: "jobs-title" }, "Jobs"), tools, said,
    h("table", { class: "jobs" }, h("caption", { class: "hidden" }, "Jobs of the run"), head, body));
}
