// Small parts that several views show.

import { date, history, page, time, type Line, type State } from "./data";
import { h, place } from "./dom";
import { shown, spans } from "./ansi";

const signs: Record<State, string> = {
  passed: "✓", failed: "✗", cancelled: "⊘", skipped: "–", cached: "↺", partial: "◐", running: "▸", waiting: "·", unended: "?",
};

export const word = (state: State) => (state === "unended" ? "not ended" : state);

// badge is a verdict: a sign, a colour and the word.
export function badge(state: State, small = false, text = word(state)): HTMLElement {
  return h("span", { class: `badge is-${state}` },
    h("span", { class: "sign", "aria-hidden": "true" }, signs[state]),
    h("span", { class: small ? "hidden" : "word" }, text));
}

// jobLink and its like are addresses within the page.
export const jobURL = (id: string, line?: number) => `#/job/${encodeURIComponent(id)}${line ? "/L" + line : ""}`;
export const nodeURL = (id: string) => `#/node/${encodeURIComponent(id)}`;

// strip is how a job ended in the earlier runs, the oldest first, and now.
export function strip(job: string, now?: State): HTMLElement | null {
  if (!page.earlier.length) return null;
  const past = history(job).map((e, i) => ({ state: e?.verdict, ms: e?.ms ?? 0, run: page.earlier[i]! })).reverse();
  const words = past.map((p) => p.state ?? "not there").join(", ");
  const most = Math.max(1, ...past.map((p) => p.ms));
  return h("span", { class: "strip", role: "img", "aria-label": `in earlier runs, the oldest first: ${words}` },
    past.map((p) => place(h("span", { class: `is-${p.state ?? "none"}`, title: `${date(p.run.started_at)}: ${p.state ?? "not there"}${p.state ? ", " + time(p.ms) : ""}` }),
      { height: `${Math.round(6 + 14 * p.ms / most)}px` })),
    now && h("span", { class: "now" }));
}

// news says what a job's verdict is beside those of earlier runs.
export function news(job: string): string {
  const past = history(job).filter((e) => e !== null);
  if (!past.length) return page.earlier.length ? "new in this run" : "";
  const failed = past.filter((e) => e.verdict === "failed").length;
  if (failed === 0) return past.every((e) => e.verdict === "passed" || e.verdict === "cached") ? `passed in the last ${past.length === 1 ? "run" : past.length + " runs"}` : "";
  return failed === past.length ? `failed in the last ${past.length === 1 ? "run" : past.length + " runs"}, too` : `failed in ${failed} of the last ${past.length} runs, too`;
}

// lines are a few lines of a log, in full.
export function lines(list: Line[], label: string): HTMLElement {
  return h("pre", { class: "lines", tabindex: 0, role: "region", "aria-label": label },
    list.map((l) => h("span", { class: `line from-${l.stream}` }, spans(shown(l.text)), "\n")));
}

// cut shortens a text in its middle: names differ at both ends.
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.ceil(((most - 1) * 2) / 3);
  return text.slice(0, head) + "…" + text.slice(text.length - (most - 1 - head));
}

// code is a text to copy.
export const code = (text: string) => h("code", null, text);

// facts is a list of names and values, without those that are empty.
export function facts(list: [string, Parameters<typeof h>[2]][]): HTMLElement {
  return h("dl", { class: "facts" }, list.filter(([, v]) => v !== "" && v !== null && v !== undefined && v !== false && !(Array.isArray(v) && !v.length))
    .map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}
