// The run, as runtime/report/html/data.go writes it. Times are in milliseconds
// from the run's start. All texts are a guest's: they go into the page as text.

import { plain } from "./ansi";

export type Verdict = "passed" | "failed" | "cancelled" | "skipped" | "cached" | "partial";
export type Stream = "stdout" | "stderr" | "host";

export interface Outcome {
  verdict?: Verdict;
  failure?: string;
  reason?: string;
  exit_code?: number;
  signal?: string;
}

export interface Phase {
  phase: string;
  detail?: string;
  start: number;
  end?: number;
  error?: string;
}

export interface Line {
  stream: Stream;
  text: string;
}

export interface Artifact {
  path: string;
  bytes: number;
  sha256?: string;
  refused?: string;
}

export interface Job extends Outcome {
  id: string;
  lane?: string;
  description?: string;
  command?: string[];
  host?: boolean;
  needs?: string[];
  timeout_secs?: number;
  ms: number;
  phases?: Phase[];
  artifacts?: Artifact[];
  truncated?: { stream: Stream; bytes: number }[];
  retried?: Outcome[];
  last?: Line[];
}

export interface Node extends Outcome {
  id: string;
  kind: "build" | "instance" | "guest" | "host";
  description?: string;
  job?: string;
  depends_on?: string[];
  attempts?: number;
  start?: number;
  end?: number;
  phases?: Phase[];
}

export interface Step {
  node?: string;
  job?: string;
  what: string;
  start: number;
  ms: number;
  usual_ms?: number;
  parts?: { phase: string; duration_ms: number; usual_ms?: number }[];
}

export interface Earlier {
  id: string;
  started_at: string;
  verdict: Verdict;
  ms: number;
  jobs: Record<string, { verdict: Verdict; ms: number }>;
}

export interface Graph {
  width: number;
  height: number;
  bands: { lane?: string; title: string; x: number; y: number; width: number; height: number }[];
  boxes: { node: string; x: number; y: number; width: number; height: number }[];
  lines: { from: string; to: string[]; path: string; arrow?: boolean }[];
}

export interface Page {
  run: {
    id: string;
    state: string;
    verdict?: Verdict;
    exit_code?: number;
    reason?: string;
    interrupted?: string;
    resumed?: number;
    started_at: string;
    ms: number;
    prepare_only?: boolean;
    pikaci: string;
    source_root: string;
    run_dir: string;
    plan_digest: string;
    snapshot?: { content_hash: string; files: number; bytes: number; git_head?: string; git_dirty: boolean };
    damaged?: string;
  };
  lanes: { id: string; title?: string; verdict?: Verdict; chosen: boolean; why?: string; waited_for?: string[] }[];
  jobs: Job[];
  nodes: Node[];
  phases: Phase[];
  // setup are the last lines of what the host set up, where that failed.
  setup?: Line[];
  path: Step[];
  usual_ms?: number;
  earlier: Earlier[];
  left: { name: string; error?: string; command?: string }[];
  graph?: Graph;
  links: boolean;
}

// read takes what stands in an element. Of texts nothing stays that a browser
// shows as a box, or that turns the direction of what stands around it; but a
// log's line keeps its colours, and a path leads to the file of that name.
export function read<T>(id: string): T {
  return JSON.parse(document.getElementById(id)!.textContent!, (key, value) =>
    typeof value === "string" && key !== "text" && key !== "path" ? plain(value) : value) as T;
}

export const page = read<Page>("run");
export const jobs = new Map(page.jobs.map((j) => [j.id, j]));
export const nodes = new Map(page.nodes.map((n) => [n.id, n]));
export const onPath = new Set(page.path.map((s) => s.node).filter((id) => id !== undefined));

// State is a verdict, or what stands in its place.
export type State = Verdict | "running" | "waiting" | "unended";

// stateOf is what a job or node without a verdict does: of a run that was
// killed, nothing any more.
export function stateOf(o: Outcome, begun: boolean): State {
  if (o.verdict) return o.verdict;
  if (!begun) return "waiting";
  return page.run.state === "running" ? "running" : "unended";
}

export const stateOfJob = (j: Job): State => stateOf(j, (j.phases?.length ?? 0) > 0);
export const stateOfNode = (n: Node): State => stateOf(n, n.start !== undefined);

// why is what is said of an outcome beside its verdict.
export function why(o: Outcome): string {
  const parts: string[] = [];
  if (o.reason) parts.push(o.reason);
  else if (o.signal) parts.push("ended by " + o.signal);
  else if (o.exit_code) parts.push("exit code " + o.exit_code);
  if (o.failure) parts.unshift(o.failure);
  return parts.join(": ");
}

// median of a few; undefined of none.
export function median(all: number[]): number | undefined {
  return all.length ? [...all].sort((a, b) => a - b)[all.length >> 1] : undefined;
}

// history is how a job ended in earlier runs, the newest first; null where it
// was not there.
export const history = (job: string) => page.earlier.map((r) => (Object.hasOwn(r.jobs, job) ? r.jobs[job]! : null));

// usual is how long a job took in the earlier runs that it passed.
export function usual(job: string): number | undefined {
  return median(history(job).filter((h) => h?.verdict === "passed").map((h) => h!.ms));
}

// time is a duration for a person.
export function time(ms: number): string {
  if (ms < 10_000) return (ms / 1000).toFixed(2) + " s";
  const s = Math.round(ms / 1000);
  if (s < 60) return (ms / 1000).toFixed(1) + " s";
  if (s < 3600 && s % 60 === 0) return s / 60 + " min";
  const two = (n: number) => String(n).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
}

export function size(n: number): string {
  let unit = 0;
  while (n >= 1024 && unit < 3) {
    n /= 1024;
    unit++;
  }
  return `${unit ? n.toFixed(1) : n} ${["B", "KiB", "MiB", "GiB"][unit]}`;
}

export const count = (n: number, what: string) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

// date is a time as records have it, in UTC.
export const date = (iso: string) => iso.slice(0, 10) + " " + iso.slice(11, 16) + " UTC";

// against says how a time stands to what is usual; empty where both are alike.
export function against(ms: number, than: number | undefined): string {
  if (than === undefined || Math.abs(ms - than) < Math.max(200, than * 0.1)) return "";
  return (ms > than ? "+" : "−") + time(Math.abs(ms - than));
}
