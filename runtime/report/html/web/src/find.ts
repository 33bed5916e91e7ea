// A search in the logs of all jobs.

import { count, page } from "./data";
import { h } from "./dom";
import { plain, shown, spans } from "./ansi";
import { logOf, matches } from "./logs";
import { jobURL } from "./parts";

// Of each job so many lines are shown, and no more jobs than that.
const maxLines = 5;
const maxJobs = 100;
let last = "";
let search = 0;

export function findView(): Element[] {
  const out = h("div", { class: "hits" });
  const said = h("p", { class: "muted", role: "status" });
  const input = h("input", { type: "search", value: last, "aria-label": "Text to find in all logs", placeholder: "Text to find in all logs", spellcheck: "false", autocomplete: "off" });
  const begin = () => void find(input.value, out, said);
  if (last) begin();
  return [
    h("h2", { tabindex: -1 }, "Search all logs"),
    h("form", { class: "tools", role: "search", onsubmit: (e: Event) => { e.preventDefault(); begin(); } }, input, h("button", { type: "submit" }, "Search")),
    said, out,
  ];
}

async function find(text: string, out: HTMLElement, said: HTMLElement): Promise<void> {
  const own = ++search;
  last = text;
  const query = text.toLowerCase();
  out.replaceChildren();
  said.textContent = "";
  if (!query) return;
  let lines = 0;
  let found = 0;
  for (const [i, job] of page.jobs.entries()) {
    if (own !== search) return;
    if (i % 10 === 0) said.textContent = `${i} of ${page.jobs.length} logs looked at …`;
    const log = await logOf(job.id);
    const hits: { line: number; text: string }[] = [];
    let n = 0;
    await log?.each((row, line) => {
      if (!plain(line).toLowerCase().includes(query)) return;
      if (n++ < maxLines) hits.push({ line: log.lineAt(row), text: line });
    }, () => own === search);
    if (!n) continue;
    lines += n;
    if (++found > maxJobs) continue;
    out.append(h("section", { class: "card" }, h("h3", null, h("a", { href: jobURL(job.id, hits[0]!.line) }, job.id), " ", h("span", { class: "muted" }, count(n, "line"))),
      h("ol", { class: "lines" }, hits.map((hit) => h("li", null, h("a", { href: jobURL(job.id, hit.line), "aria-label": `Line ${hit.line}` }, hit.line), h("span", null, spans(shown(hit.text).slice(0, 2000), (t) => matches(t, query))))))));
  }
  said.textContent = found ? `${count(lines, "line")} in ${count(found, "log")}${found > maxJobs ? `, of which ${maxJobs} are shown` : ""}` : "not found";
}
