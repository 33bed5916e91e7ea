// Logs as they stand in the page: in pieces, of which only those that are
// looked at are unpacked.

import { page, read, type Stream } from "./data";
import { plain } from "./ansi";

interface LogData {
  job: number;
  lines: number;
  pieces: { id: string; first: number; lines: number }[];
  gap?: { first: number; lines: number; bytes: number };
}

export interface Piece {
  texts: string[];
  // streams are the letters of the lines' streams; times are when they came,
  // in ms from the run's start, -1 where that is not known.
  streams: string[];
  times: number[];
}

const streams: Record<string, Stream> = { o: "stdout", e: "stderr", h: "host" };

// whole is when all of the page is there: the logs come last.
const whole = new Promise<void>((done) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => done());
  else done();
});

let index: Promise<Map<string, LogData>> | undefined;

// logOf is a job's log; undefined where it printed nothing.
export async function logOf(job: string): Promise<Log | undefined> {
  index ??= whole.then(() => new Map(read<LogData[]>("logs").map((l) => [page.jobs[l.job]!.id, l])));
  const data = (await index).get(job);
  return data && new Log(data);
}

async function unpack(id: string): Promise<Piece> {
  const packed = Uint8Array.from(atob(document.getElementById(id)!.textContent!), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const piece: Piece = { texts: [], streams: [], times: [] };
  let time = -1;
  for (const line of (await new Response(stream).text()).split("\n")) {
    if (line === "") continue; // behind the last end of line
    if (line[0] === "@") time = Number(line.slice(1));
    else {
      piece.texts.push(line.slice(1));
      piece.streams.push(line[0]!);
      piece.times.push(time);
    }
  }
  return piece;
}

// Log is the log of a job as rows: its lines, and one row for what was left
// out.
export class Log {
  readonly lines: number;
  readonly gap: LogData["gap"];
  readonly rows: number;
  private readonly pieces: LogData["pieces"];
  private readonly loaded: (Piece | undefined)[] = [];
  private readonly loading: (Promise<Piece> | undefined)[] = [];
  private readonly gapRow: number;

  constructor(data: LogData) {
    this.lines = data.lines;
    this.pieces = data.pieces;
    this.gap = data.gap;
    this.gapRow = data.gap ? data.gap.first - 1 : -1;
    this.rows = data.gap ? data.lines - data.gap.lines + 1 : data.lines;
  }

  // lineAt is the number of a row's line; 0 of what was left out.
  lineAt(row: number): number {
    if (!this.gap || row < this.gapRow) return row + 1;
    return row === this.gapRow ? 0 : row + this.gap.lines;
  }

  rowOf(line: number): number {
    if (!this.gap || line < this.gap.first) return Math.max(0, Math.min(line, this.lines) - 1);
    return line < this.gap.first + this.gap.lines ? this.gapRow : Math.min(line, this.lines) - this.gap.lines;
  }

  private pieceOf(line: number): number {
    let low = 0;
    let high = this.pieces.length - 1;
    while (low < high) {
      const mid = (low + high + 1) >> 1;
      if (this.pieces[mid]!.first <= line) low = mid;
      else high = mid - 1;
    }
    return low;
  }

  // get is a row that is unpacked; undefined of another, which load unpacks.
  get(row: number): { line: number; text: string; stream: Stream; time: number } | undefined {
    const line = this.lineAt(row);
    const i = this.pieceOf(line);
    const piece = this.loaded[i];
    if (!piece) return undefined;
    const at = line - this.pieces[i]!.first;
    return { line, text: piece.texts[at] ?? "", stream: streams[piece.streams[at] ?? "h"] ?? "host", time: piece.times[at] ?? -1 };
  }

  private piece(i: number): Promise<Piece> {
    return (this.loading[i] ??= unpack(this.pieces[i]!.id).then((p) => (this.loaded[i] = p)));
  }

  // load unpacks what the rows from one to another need; false where all was
  // there.
  async load(from: number, to: number): Promise<boolean> {
    const first = this.pieceOf(this.lineAt(from) || this.lineAt(from + 1));
    const last = this.pieceOf(this.lineAt(to) || this.lineAt(to + 1));
    let news = false;
    for (let i = first; i <= last; i++) {
      if (this.loaded[i]) continue;
      news = true;
      await this.piece(i);
    }
    return news;
  }

  // each gives every row of the page, piece by piece; it stops where each says
  // false at a piece's end.
  async each(row: (row: number, text: string, stream: Stream) => void, goOn: (part: number) => boolean): Promise<void> {
    for (let i = 0; i < this.pieces.length; i++) {
      const piece = await this.piece(i);
      const first = this.rowOf(this.pieces[i]!.first);
      for (let k = 0; k < piece.texts.length; k++) row(first + k, piece.texts[k]!, streams[piece.streams[k]!] ?? "host");
      if (!goOn((i + 1) / this.pieces.length)) return;
    }
  }

  // text is all of the log that the page has, to be saved.
  async text(): Promise<Blob> {
    const parts: string[] = [];
    await this.each((row, text) => {
      if (this.gap && row === this.gapRow + 1) parts.push(`… ${this.gap.lines} lines are not in this page\n`);
      parts.push(plain(text), "\n");
    }, () => true);
    return new Blob(parts, { type: "text/plain" });
  }
}

// matches are the places of a search in a text, as pairs of offsets.
export function matches(text: string, query: string): [number, number][] {
  const found: [number, number][] = [];
  const low = text.toLowerCase();
  if (low.length !== text.length) return low.includes(query) ? [[0, text.length]] : []; // letters that grow
  for (let at = low.indexOf(query); at >= 0; at = low.indexOf(query, at + query.length)) found.push([at, at + query.length]);
  return found;
}
