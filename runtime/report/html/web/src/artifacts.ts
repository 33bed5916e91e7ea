// All artifacts of the run.

import { count, page } from "./data";
import { h } from "./dom";
import { artifactList } from "./jobview";
import { jobURL } from "./parts";

export function artifactsView(): Element[] {
  const with_ = page.jobs.filter((j) => j.artifacts?.length);
  const title = h("h2", { tabindex: -1 }, "Artifacts");
  if (!with_.length) return [title, h("p", { class: "muted" }, "No job gave anything back.")];
  return [
    title,
    !page.links ? h("p", { class: "muted" }, "This page is not in the run's record: ", h("code", null, `pikaci artifacts ${page.run.id} --copy DIR`), " brings the files.") : null,
    ...with_.map((j) => h("section", null, h("h3", null, h("a", { href: jobURL(j.id) }, j.id), " ", h("span", { class: "muted" }, count(j.artifacts!.length, "file"))), artifactList(j.id, j.artifacts!))),
  ].filter((e) => e !== null);
}
