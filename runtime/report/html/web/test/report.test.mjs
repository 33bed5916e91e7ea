// What a reader does with the pages, in a real browser. scripts/test-web sets
// PIKACI_PAGES, where the pages are, PIKACI_SHOTS, where pictures are kept, and
// PIKACI_SHORT.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const pages = process.env.PIKACI_PAGES;
const shots = process.env.PIKACI_SHOTS;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// In short, each width and each theme is looked at, but not each with each.
const short = Boolean(process.env.PIKACI_SHORT);
const widths = [1280, 768, 360];
let browser;

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.PIKACI_CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
});
after(() => browser?.close());

// open shows a page as a file; close holds that it complained of nothing and
// asked for nothing.
async function open(name, hash = "", options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const file = pathToFileURL(join(pages, name + ".html")).href;
  const faults = [];
  page.on("console", (m) => faults.push(`console: ${m.text()}`));
  page.on("pageerror", (e) => faults.push(`error: ${e.message}`));
  page.on("request", (r) => { if (r.url() !== file && !/^(data|blob):/.test(r.url())) faults.push(`request: ${r.url()}`); });
  page.on("dialog", (d) => { faults.push("a dialog"); void d.dismiss(); });
  await page.goto(file + hash);
  return { page, close: async () => {
    assert.deepEqual(faults, []);
    await context.close();
  } };
}

// show goes to another view of the page.
async function show(page, hash) {
  await page.evaluate((h) => new Promise((done) => {
    if (location.hash === h) return done();
    window.addEventListener("hashchange", () => requestAnimationFrame(() => setTimeout(done, 20)), { once: true });
    location.hash = h;
  }), hash);
}

// rows are the names of the jobs in the table.
const rows = (page) => page.locator("table.jobs tbody th a").allTextContents();
const focused = (page) => page.evaluate(() => document.activeElement?.textContent || document.activeElement?.getAttribute("aria-label"));

test("the red job's reason and last lines are seen first", async () => {
  for (const width of widths) {
    const { page, close } = await open("story", "", { viewport: { width, height: 900 } });
    assert.match(await page.title(), /^failed: /);
    const card = page.locator(".failure").first();
    assert.match(await card.textContent(), /relay-e2e.*test: exit code 101.*passed in the last 4 runs/s);
    assert.match(await card.locator("pre").textContent(), /assertion `left == right` failed.*\n.*\n.*\n.*RUST_BACKTRACE/);
    const box = await card.locator("pre").boundingBox();
    assert.ok(box.y + box.height <= 900, `at ${width} the last lines end at ${box.y + box.height}`);
    assert.equal(await page.locator(".fg-red").first().evaluate((e) => getComputedStyle(e).color), "rgb(179, 38, 30)");
    await close();
  }
});

test("no page is wider than its window", async () => {
  for (const name of ["story", "hostile", "killed"]) {
    const { page, close } = await open(name);
    for (const width of short ? [360] : widths) {
      await page.setViewportSize({ width, height: 900 });
      for (const hash of ["#/", "#/timeline", "#/graph", "#/earlier", "#/artifacts", "#/search", "#/job/relay-e2e", "#/node/prepare-rust-build"]) {
        await show(page, hash);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(over <= 0, `${name}${hash} at ${width} is ${over} too wide`);
      }
    }
    await close();
  }
});

test("filter and sort", async () => {
  const { page, close } = await open("story");
  assert.equal((await rows(page))[0], "relay-e2e");
  await page.getByLabel("Filter jobs").fill("FLAKY");
  assert.deepEqual(await rows(page), ["unit-tests"]);
  await page.getByLabel("Filter jobs").fill("");
  await page.getByRole("button", { name: "1 skipped" }).click();
  assert.deepEqual(await rows(page), ["package"]);
  await page.getByRole("button", { name: "1 skipped" }).click();
  await page.getByLabel("Only this lane").selectOption("relay");
  await page.getByRole("button", { name: "Time" }).click();
  assert.deepEqual(await rows(page), ["relay-e2e", "notifications", "package"]);
  await page.getByRole("button", { name: "Time" }).click();
  assert.deepEqual(await rows(page), ["package", "notifications", "relay-e2e"]);
  assert.equal(await page.locator("th[aria-sort=descending]").textContent(), "Time");
  await close();
});

test("a log is searched, its streams are told apart, and a line has an address", async () => {
  const { page, close } = await open("story", "#/job/relay-e2e/L1");
  await page.getByLabel("Search this log").fill("Delivered");
  await page.getByText("1 of 60").waitFor();
  await page.getByLabel("Next match").click();
  await page.getByText("2 of 60").waitFor();
  assert.match(page.url(), /#\/job\/relay-e2e\/L6$/);
  assert.equal(await page.locator(".row.current mark").textContent(), "delivered");
  await page.getByRole("button", { name: "stdout", exact: true }).click();
  await page.getByText("not found").waitFor();
  assert.match(await page.locator(".log").textContent(), /^1.*mounted.*66.*warning.*68/s);
  assert.equal(await page.locator(".row.from-stderr").count(), 6);
  await close();

  const again = await open("story", "#/job/relay-e2e/L68");
  assert.match(await again.page.locator(".row.current").textContent(), /^68.*panicked/);
  await again.close();
});

test("a long log is in pieces, and a jump to any line is quick", async () => {
  const { page, close } = await open("long", "#/job/job-000");
  await page.locator(".row").first().waitFor();
  assert.ok(await page.locator(".row").count() < 120);
  const lines = Number(await page.getByLabel("Go to line").getAttribute("max"));
  assert.ok(lines > 30_000, `${lines} lines`);
  for (const line of [lines, 20_000, 1]) {
    await page.getByLabel("Go to line").fill(String(line));
    await page.getByLabel("Go to line").press("Enter");
    const want = `[${String(line - 1).padStart(6, "0")}]`;
    await page.locator(".row.current", { hasText: want }).waitFor({ timeout: 20_000 });
  }
  await page.getByLabel("Search this log").fill(`[${String(lines - 3).padStart(6, "0")}]`);
  await page.getByText("1 of 1", { exact: true }).waitFor({ timeout: 30_000 });
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save" }).click();
  const saved = readFileSync(await (await download).path(), "utf8");
  assert.equal(saved.split("\n").length, lines + 1);
  assert.ok(!saved.includes("\x1b"));
  await close();
});

test("all logs are searched", async () => {
  const { page, close } = await open("big", "#/search");
  await page.getByLabel("Text to find in all logs").fill("crate-77/");
  await page.getByLabel("Text to find in all logs").press("Enter");
  await page.getByText(/lines in 1 log$/).waitFor({ timeout: 20_000 });
  await page.locator(".hits h3 a").click();
  // Its line is there as soon as its piece of the log is unpacked.
  await page.locator(".row.current", { hasText: "crate-77/" }).waitFor();
  await close();
});

test("500 jobs are there at once", async () => {
  const { page, close } = await open("big");
  assert.equal((await rows(page)).length, 500);
  const took = await page.evaluate(() => performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd);
  assert.ok(took < 10_000, `${took} ms`);
  await page.getByLabel("Filter jobs").fill("job-42");
  assert.equal((await rows(page)).length, 10);
  for (const view of ["Timeline", "Graph"]) {
    await page.getByRole("link", { name: view, exact: true }).click();
    await page.getByRole("region", { name: view }).waitFor();
  }
  assert.ok(await page.locator("svg a.node").count() > 1000);
  await close();
});

test("the keyboard alone", async () => {
  const { page, close } = await open("story");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Skip to the content");
  for (let i = 0; i < 3; i++) await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Graph");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Graph" }).waitFor();
  assert.equal(await focused(page), "Graph");
  const width = () => page.locator("svg").evaluate((e) => e.getBoundingClientRect().width);
  const was = await width();
  await page.locator(".graph").focus();
  await page.keyboard.press("+");
  assert.ok(await width() > was);
  // From the graph to the failed job, by Tab alone.
  for (let i = 0; i < 20; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement?.getAttribute("aria-label")?.startsWith("relay-e2e failed"))) break;
  }
  await page.keyboard.press("Enter");
  await page.locator(".log .row").first().waitFor();
  assert.match(page.url(), /#\/job\/relay-e2e$/);
  for (let i = 0; i < 20 && !(await page.evaluate(() => document.activeElement?.classList.contains("log"))); i++) await page.keyboard.press("Tab");
  await page.keyboard.press("End");
  assert.match(page.url(), /L72$/);
  await page.keyboard.press("ArrowUp");
  assert.match(await page.locator(".row.current").textContent(), /^71.* right: 61/);
  await page.keyboard.press("Home");
  assert.match(page.url(), /L1$/);
  await page.keyboard.press("PageDown");
  assert.doesNotMatch(page.url(), /L1$/);
  await page.goBack();
  await page.getByRole("heading", { name: "Graph" }).waitFor();
  await close();
});

test("the graph leads to jobs and builds, by a click too", async () => {
  const { page, close } = await open("story", "#/graph");
  assert.equal(await page.locator(".edge.critical").count(), 2);
  await page.locator("svg a", { hasText: "prepare-rust-build" }).first().click();
  assert.match(await page.locator("main").textContent(), /prepare-rust-build.*21.8 s.*Needs.*prepare-rust-deps.*Needed by/s);
  await close();
});

test("the timeline zooms and shows the critical path", async () => {
  const { page, close } = await open("story", "#/timeline");
  assert.equal(await page.locator(".gantt tbody tr").count(), 8);
  const width = () => page.locator(".gantt").evaluate((e) => e.offsetWidth);
  const was = await width();
  await page.getByLabel("Zoom in").click();
  assert.ok(await width() > was * 1.5);
  await page.getByRole("button", { name: "Only the critical path" }).click();
  assert.deepEqual(await page.locator(".gantt tbody th a").allTextContents(), ["prepare-rust-deps", "prepare-rust-build", "relay-e2e"]);
  assert.match(await page.locator(".path").textContent(), /execute-relay-e2e waits for a slot/);
  await close();
});

test("a run is compared with earlier ones", async () => {
  const { page, close } = await open("story", "#/earlier");
  assert.match(await page.locator("main").textContent(), /relay-e2e.*passed.*failed.*unit-tests23.1 s34.8 s\+11.7 s/s);
  await close();
});

test("artifacts are linked where they are beside the page", async () => {
  const story = await open("story", "#/artifacts");
  const links = await story.page.locator(".artifacts a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
  assert.deepEqual(links, ["jobs/relay-e2e/artifacts/relay/relay.log", "jobs/relay-e2e/artifacts/screens/client%20b%20%231.png"]);
  await story.close();
  const hostile = await open("hostile", "#/artifacts");
  assert.deepEqual(await hostile.page.locator(".artifacts a").evaluateAll((all) => all.map((a) => a.protocol)), ["file:"]);
  await hostile.close();
});

test("a hostile run breaks nothing", async () => {
  const { page, close } = await open("hostile");
  for (const hash of ["#/timeline", "#/graph", "#/earlier", "#/artifacts", "#/search", "#/job/__proto__", "#/job/%E0%A4%A", "#/node/%3Cimg%3E", "#/"]) {
    await show(page, hash);
    assert.doesNotMatch(await page.title(), /^broken/);
    assert.equal(await page.locator("img, iframe, object, embed, main script").count(), 0);
  }
  await page.locator(".failure h3 a").click();
  await page.locator(".log .row").first().waitFor();
  assert.match(await page.locator(".log").textContent(), /<\/script><script>.*red/s);
  assert.doesNotMatch(await page.locator("body").innerText(), /[\u202e\x1b\x00]/);
  await close();
});

test("a killed run, and one without a plan", async () => {
  const killed = await open("killed");
  assert.match(await killed.page.locator("main").textContent(), /was killed.* 4\d\.\d s after the run began.*exec --resume 01k9m2w4qz.*What did not end.*relay-e2e/s);
  await killed.close();
  const alone = await open("alone");
  assert.match(await alone.page.locator("main").textContent(), /damaged.*<b>cut off<\/b>.*relay-e2e/s);
  await alone.page.getByRole("link", { name: "Graph" }).click();
  await alone.page.getByText("there is no graph").waitFor();
  await alone.close();
});

test("a page that was cut off says so where a log is missing", async () => {
  const whole = readFileSync(join(pages, "long.html"), "utf8");
  const at = whole.indexOf('id="log-0-3"');
  writeFileSync(join(pages, "cut.html"), whole.slice(0, at + 500));
  const { page, close } = await open("cut", "#/job/job-000");
  await page.getByText("The log can't be unpacked").waitFor();
  assert.equal((await page.getByRole("link", { name: "Summary" }).count()), 1);
  await close();
});

test("without a script the page says how the run ended", async () => {
  const { page, close } = await open("story", "", { javaScriptEnabled: false });
  assert.match(await page.locator("body").innerText(), /failed: run 01k9m2w4qz.*2 of 6 did not pass/s);
  await close();
});

test("axe finds no fault in either theme", async () => {
  const views = { story: ["#/", "#/timeline", "#/graph", "#/earlier", "#/job/relay-e2e/L69", "#/artifacts", "#/search", "#/node/prepare-rust-build"], killed: ["#/"] };
  for (const [name, hashes] of Object.entries(views)) {
    // The page's policy would refuse axe's script.
    const { page, close } = await open(name, "", { bypassCSP: true });
    await page.evaluate(axe);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const width of short ? [colorScheme === "light" ? 1280 : 360] : [1280, 360]) {
        await page.setViewportSize({ width, height: 900 });
        for (const hash of hashes) {
          await show(page, hash);
          const found = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ["violations"] })).violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target} ${n.failureSummary}`)));
          assert.deepEqual(found, [], `${name}${hash} in ${colorScheme} at ${width}`);
        }
      }
    }
    await close();
  }
});

test("pictures", { skip: !shots && "no --shots" }, async () => {
  for (const width of widths) {
    for (const colorScheme of ["light", "dark"]) {
      for (const [name, hash] of [["story", ""], ["story", "#/timeline"], ["story", "#/graph"], ["story", "#/job/relay-e2e"]]) {
        const { page, close } = await open(name, hash, { colorScheme, viewport: { width, height: width < 500 ? 740 : 860 } });
        await page.waitForTimeout(200);
        await page.screenshot({ path: join(shots, `${name}${hash.replaceAll(/[#/]+/g, "-")}-${width}-${colorScheme}.png`) });
        await close();
      }
    }
  }
});
