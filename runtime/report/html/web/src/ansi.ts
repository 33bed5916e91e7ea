// Lines as a terminal would show them: colours, and of what draws over itself
// the last state.

import Anser from "anser";
import { h, place } from "./dom";

const escape = String.raw`\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|.|$)`;
const escapes = new RegExp(escape, "gs");
const colour = /^\x1b\[[0-9;:]*m$/;
// Control characters but tab and escape, and those that turn the direction of
// what stands around them.
const controls = /[\0-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

// shown is a line with its colours and nothing else that moves a terminal.
export function shown(line: string): string {
  if (!/[^\t\x20-\x7e]/.test(line)) return line; // as most are
  const drawn = line.replace(/\r+$/, "");
  return drawn.slice(drawn.lastIndexOf("\r") + 1).replace(escapes, (e) => (colour.test(e) ? e : "")).replace(controls, "");
}

// plain is a line as it is searched.
export function plain(line: string): string {
  const text = shown(line);
  return text.includes("\x1b") ? text.replace(escapes, "") : text;
}

// spans are the parts of a line; mark finds what is to be marked in its text,
// as pairs of offsets.
export function spans(line: string, mark?: (text: string) => [number, number][]): (Element | string)[] {
  const parts = line.includes("\x1b")
    ? Anser.ansiToJson(line, { use_classes: true, remove_empty: true }).map((p) => ({ text: p.content, part: p as Anser.AnserJsonEntry | null }))
    : [{ text: line, part: null as Anser.AnserJsonEntry | null }];
  const marks = mark?.(parts.map((p) => p.text).join("")) ?? [];
  const out: (Element | string)[] = [];
  let at = 0;
  for (const { text, part } of parts) {
    for (const [piece, marked] of cut(text, at, marks)) out.push(span(piece, part, marked));
    at += text.length;
  }
  return out;
}

// cut parts a text that begins at an offset where marks begin and end.
function* cut(text: string, from: number, marks: [number, number][]): Generator<[string, boolean]> {
  let at = 0;
  for (const [begin, end] of marks) {
    const b = Math.max(at, begin - from);
    const e = Math.min(text.length, end - from);
    if (e <= b) continue;
    if (b > at) yield [text.slice(at, b), false];
    yield [text.slice(b, e), true];
    at = e;
  }
  if (at < text.length) yield [text.slice(at), false];
}

function span(text: string, part: Anser.AnserJsonEntry | null, marked: boolean): Element | string {
  const classes: string[] = [];
  const styles: Record<string, string> = {};
  if (part) {
    dye(part.fg, part.fg_truecolor, "color", "fg", classes, styles);
    dye(part.bg, part.bg_truecolor, "background-color", "bg", classes, styles);
    for (const d of part.decorations) classes.push("ansi-" + d);
  }
  if (!marked && !classes.length && !Object.keys(styles).length) return text;
  return place(h(marked ? "mark" : "span", { class: classes.join(" ") || undefined }, text), styles);
}

// dye takes one colour: one of the sixteen, which the style knows in light and
// dark, one of the palette, or any.
function dye(name: string | null, any: string | null, property: string, kind: string, classes: string[], styles: Record<string, string>): void {
  if (!name) return;
  const palette = /^ansi-palette-(\d+)$/.exec(name);
  if (name === "ansi-truecolor" && any && /^[\d, ]+$/.test(any)) styles[property] = `rgb(${any})`;
  else if (palette) styles[property] = paletteColour(Number(palette[1]));
  else if (/^ansi-[a-z-]+$/.test(name)) classes.push(name.replace("ansi-", kind + "-"));
}

// paletteColour is one of the 240 colours after the sixteen.
function paletteColour(n: number): string {
  if (n < 16) n = 7;
  if (n >= 232) return `rgb(${Array(3).fill(8 + (n - 232) * 10).join(",")})`;
  const part = (v: number) => (v ? 55 + 40 * v : 0);
  n -= 16;
  return `rgb(${part(Math.floor(n / 36))},${part(Math.floor(n / 6) % 6)},${part(n % 6)})`;
}
