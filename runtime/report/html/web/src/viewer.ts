// The log of a job: rows of one height, of which only those in sight are in
// the page; search, streams, and a line that the address names.

import { count, size, time, type Job, type Stream } from "./data";
import { h, place } from "./dom";
import { plain, shown, spans } from "./ansi";
import { Log, matches } from "./logs";
import { jobURL } from "./parts";

const rowHeight = 20; // as the style has it
const names: Stream[] = ["stdout", "stderr", "host"];

export class Viewer {
  readonly element: HTMLElement;
  private readonly view: HTMLElement;
  private readonly window: HTMLElement;
  private readonly spacer: HTMLElement;
  private readonly said: HTMLElement;
  private readonly progress: HTMLElement;
  private readonly hidden = new Set<Stream>();
  // rows are those that are shown; null where all are.
  private rows: number[] | null = null;
  private found: number[] = [];
  private query = "";
  private search = 0; // counts searches, so that an old one stops
  private current = -1; // a row of the log
  private drawn = "";

  constructor(private readonly job: Job, private readonly log: Log) {
    this.window = h("div", { class: "rows" });
    this.spacer = h("div", { class: "spacer" }, this.window);
    this.view = h("div", {
      class: "log", tabindex: 0, role: "region", "aria-label": `Log of ${job.id}`, "aria-describedby": "log-keys",
      onscroll: () => this.draw(), onkeydown: (e: KeyboardEvent) => this.key(e),
    }, this.spacer);
    this.said = h("p", { class: "hidden", role: "status" });
    this.progress = h("span", { class: "muted found", role: "status" });
    this.element = h("div", { class: "viewer" }, this.tools(), this.view, this.said,
      h("p", { class: "muted small", id: "log-keys" }, "Arrows, Page and Home keys move the marked line, n and p go to the next and previous match; the address leads to it."));
    new ResizeObserver(() => this.draw()).observe(this.view);
  }

  private tools(): HTMLElement {
    const input = h("input", {
      type: "search", placeholder: "Search this log", "aria-label": "Search this log", spellcheck: "false", autocomplete: "off",
      oninput: () => void this.find(input.value),
      onkeydown: (e: KeyboardEvent) => { if (e.key === "Enter") { e.preventDefault(); this.step(e.shiftKey ? -1 : 1); } },
    });
    const go = h("input", { type: "number", min: 1, max: this.log.lines, placeholder: "Line", "aria-label": "Go to line" });
    return h("div", { class: "tools" },
      input,
      h("button", { type: "button", "aria-label": "Previous match", onclick: () => this.step(-1) }, "↑"),
      h("button", { type: "button", "aria-label": "Next match", onclick: () => this.step(1) }, "↓"),
      this.progress,
      h("span", { class: "grow" }),
      h("span", { class: "choices", role: "group", "aria-label": "Shown streams" }, names.map((s) => h("button", {
        type: "button", class: `stream from-${s}`, "aria-pressed": "true",
        onclick: (e: Event) => void this.toggle(s, e.currentTarget as HTMLElement),
      }, s))),
      h("form", { class: "go", onsubmit: (e: Event) => { e.preventDefault(); if (go.value) this.show(Number(go.value)); } }, go),
      h("button", { type: "button", onclick: () => void this.save() }, "Save"));
  }

  // begin shows the line that the address names, or the end of a log of what
  // failed.
  begin(line: number | undefined): void {
    this.resize();
    if (line) this.show(line, false);
    else if (this.job.verdict === "failed" || this.job.verdict === undefined) this.view.scrollTop = this.spacer.offsetHeight;
    this.draw();
  }

  // show marks a line and brings it into sight.
  show(line: number, focus = true): void {
    let row = this.log.rowOf(line);
    if (this.rows) row = this.rows.find((r) => r >= row) ?? this.rows.at(-1) ?? row;
    this.mark(row, true);
    if (focus) this.view.focus({ preventScroll: true });
  }

  private get length(): number { return this.rows ? this.rows.length : this.log.rows; }
  private row(i: number): number { return this.rows ? this.rows[i]! : i; }
  private place(row: number): number { return this.rows ? low(this.rows, row) : row; }

  private resize(): void {
    place(this.spacer, { height: this.length * rowHeight + "px" });
    // A short log takes no more room than it needs; a bar below its lines may.
    place(this.view, { "--digits": String(this.log.lines).length + "ch", height: Math.max(5, this.length) * rowHeight + 18 + "px" });
  }

  // draw puts the rows in sight into the page.
  private draw(): void {
    const first = Math.max(0, Math.floor(this.view.scrollTop / rowHeight) - 10);
    const last = Math.min(this.length - 1, Math.ceil((this.view.scrollTop + this.view.clientHeight) / rowHeight) + 10);
    if (last < first) {
      this.window.replaceChildren();
      return;
    }
    const list = [];
    for (let i = first; i <= last; i++) list.push(this.line(this.row(i)));
    this.window.replaceChildren(...list);
    place(this.window, { transform: `translateY(${first * rowHeight}px)` });
    this.drawn = `${first}-${last}`;
    const drawn = this.drawn;
    void this.log.load(this.row(first), this.row(last)).then((news) => { if (news && drawn === this.drawn) this.draw(); });
  }

  private line(row: number): HTMLElement {
    const n = this.log.lineAt(row);
    if (n === 0) {
      const gap = this.log.gap!;
      return h("div", { class: "row gap" }, `${count(gap.lines, "line")} (about ${size(gap.bytes)}) are not in this page, but in jobs/${this.job.id}/*.log of the run's record`);
    }
    const got = this.log.get(row);
    const marked = row === this.current;
    return h("div", { class: `row${got ? " from-" + got.stream : ""}${marked ? " current" : ""}`, "aria-current": marked ? "true" : undefined },
      h("a", { class: "number", href: jobURL(this.job.id, n), tabindex: -1, "aria-label": `Line ${n}`,
        onclick: (e: MouseEvent) => { if (!e.ctrlKey && !e.metaKey) { e.preventDefault(); this.mark(row, false); } } }, n),
      h("span", { class: "time" }, got && got.time >= 0 ? time(got.time) : ""),
      h("span", { class: "text" }, got ? spans(shown(got.text), this.query ? (t) => matches(t, this.query) : undefined) : "…"));
  }

  // mark makes a row the current one, and names it in the address.
  private mark(row: number, centre: boolean): void {
    this.current = row;
    const top = this.place(row) * rowHeight;
    const height = this.view.clientHeight;
    if (centre && (top < this.view.scrollTop + rowHeight || top > this.view.scrollTop + height - 2 * rowHeight)) this.view.scrollTop = top - height / 2;
    else if (top < this.view.scrollTop) this.view.scrollTop = top;
    else if (top + rowHeight > this.view.scrollTop + height) this.view.scrollTop = top + rowHeight - height;
    const line = this.log.lineAt(row);
    if (line) history.replaceState(null, "", jobURL(this.job.id, line));
    this.draw();
    void this.log.load(row, row).then(() => {
      if (row === this.current) {
        const got = this.log.get(row);
        this.said.textContent = got && line ? `Line ${line}, ${got.stream}: ${plain(got.text).slice(0, 300)}` : "left out";
      }
    });
  }

  private key(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target !== this.view) return;
    const page = Math.max(1, Math.floor(this.view.clientHeight / rowHeight) - 1);
    const top = Math.floor(this.view.scrollTop / rowHeight);
    const at = this.current < 0 ? top - 1 : this.place(this.current);
    const to: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.length - 1 };
    if (e.key === "n" || e.key === "p") this.step(e.key === "n" ? 1 : -1);
    else if (e.key in to && this.length) this.mark(this.row(Math.max(0, Math.min(this.length - 1, to[e.key]!))), false);
    else return;
    e.preventDefault();
  }

  private async toggle(stream: Stream, button: HTMLElement): Promise<void> {
    if (!this.hidden.delete(stream)) this.hidden.add(stream);
    button.setAttribute("aria-pressed", String(!this.hidden.has(stream)));
    await this.choose();
    if (this.query) await this.find(this.query);
  }

  // choose works out which rows are shown.
  private async choose(): Promise<void> {
    const top = this.length ? this.row(Math.min(this.length - 1, Math.floor(this.view.scrollTop / rowHeight))) : 0;
    let rows: number[] | null = null;
    if (this.hidden.size) {
      rows = [];
      await this.log.each((row, _, stream) => { if (!this.hidden.has(stream)) rows!.push(row); }, () => true);
    }
    this.rows = rows;
    this.resize();
    this.view.scrollTop = this.place(top) * rowHeight;
    this.draw();
  }

  private async find(query: string): Promise<void> {
    const search = ++this.search;
    this.query = query.toLowerCase();
    this.found = [];
    if (!this.query) {
      this.progress.textContent = "";
      this.draw();
      return;
    }
    let shownFirst = false;
    const from = this.length ? this.row(Math.min(this.length - 1, Math.max(0, Math.floor(this.view.scrollTop / rowHeight)))) : 0;
    await this.log.each((row, text, stream) => {
      if (!this.hidden.has(stream) && plain(text).toLowerCase().includes(this.query)) this.found.push(row);
    }, (part) => {
      if (search !== this.search) return false;
      this.progress.textContent = part < 1 ? `${this.found.length} … ${Math.round(part * 100)} %` : this.foundText();
      const first = this.found.find((r) => r >= from);
      if (!shownFirst && first !== undefined) {
        shownFirst = true;
        this.mark(first, true);
      }
      return true;
    });
    if (search !== this.search) return;
    if (!shownFirst && this.found.length) this.mark(this.found.at(-1)!, true);
    this.progress.textContent = this.foundText();
    this.draw();
  }

  private foundText(): string {
    if (!this.found.length) return "not found";
    const at = this.found.indexOf(this.current);
    return at < 0 ? `${count(this.found.length, "line")}` : `${at + 1} of ${this.found.length}`;
  }

  // step goes to the next match, or the one before.
  private step(by: number): void {
    if (!this.found.length) return;
    const at = low(this.found, this.current + (by > 0 ? 1 : 0));
    const to = (at + (by > 0 ? 0 : -1) + this.found.length) % this.found.length;
    this.mark(this.found[to]!, true);
    this.progress.textContent = this.foundText();
  }

  private async save(): Promise<void> {
    const url = URL.createObjectURL(await this.log.text());
    h("a", { href: url, download: this.job.id + ".log" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }
}

// low is the first place in a sorted list whose value is not below n.
function low(list: number[], n: number): number {
  let from = 0;
  let to = list.length;
  while (from < to) {
    const mid = (from + to) >> 1;
    if (list[mid]! < n) from = mid + 1;
    else to = mid;
  }
  return from;
}
