// Ten digits in three sizes, with three pens and at three places, drawn with the mouse on the page that `export` writes
// and on the one that `serve` gives out: how many are recognised.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { opened } from "../browser.mjs";
import { drawings, PENS, PLACES, SIZES } from "./drawings.mjs";
import { contactSheet } from "./sheet.mjs";

const GLYPHNET = process.env.GLYPHNET;
/** Of 270 drawings. */
const ENOUGH = 255;
/** Short enough for a test: a third of the images, a few epochs of a hundred. */
const TRAINING = ["--recipe", "seed", "--epochs", "3", "--set", "data.limit=20000"];
/** A point of the traced lines in so many is drawn, and the last. */
const EVERY = 2;

const place = mkdtempSync(join(tmpdir(), "glyphnet-drawings-"));
const glyphnet = (...args) => execFileSync(GLYPHNET, args, { cwd: place, stdio: ["ignore", "pipe", "pipe"] });

before(() => {
  glyphnet("train", ...TRAINING, "--out", "run");
  glyphnet("export", "--model", "run", "--format", "html", "-o", "page.html");
});

// The pictures stay, to be looked at.
after(() => ["run", "page.html"].forEach((name) => rmSync(join(place, name), { recursive: true, force: true })));

/** Sets the pen and returns its width on the screen. */
const takePen = async (page, pen, board) => {
  const slider = page.locator("#pen");
  const widths = await slider.evaluate(({ min, defaultValue, max }) => ({ thin: min, medium: defaultValue, thick: max }));
  const width = Number(widths[pen]);
  await slider.fill(String(width));
  return (width * board.width) / 100;
};

/** Draws with the mouse. Moves are not waited for one by one: as those of a hand, they come faster than frames. */
const draw = async (page, strokes) => {
  for (const stroke of strokes) {
    const points = stroke.filter((_, i) => i % EVERY === 0 || i === stroke.length - 1);
    await page.mouse.move(...points[0]);
    await page.mouse.down();
    await Promise.all(points.slice(1).map((point) => page.mouse.move(...point)));
    await page.mouse.up();
  }
};

/** What the page makes of each drawing: the class that it names, and the pixels that the network saw. */
const drawAll = async (page) => {
  const results = [];
  const board = await page.locator("#board").boundingBox();
  const clear = await page.locator("#clear").boundingBox();
  let [held, width] = [null, 0];
  for (const drawing of drawings()) {
    if (drawing.pen !== held) [held, width] = [drawing.pen, await takePen(page, drawing.pen, board)];
    await draw(page, drawing.strokes(board, width));
    const { best, pixels } = await page.evaluate(async () => {
      await globalThis.glyphnet.settled();
      return { best: document.getElementById("best").textContent, pixels: Array.from(globalThis.glyphnet.lastPixels) };
    });
    results.push({ ...drawing, best, pixels, right: best === String(drawing.label) });
    await page.mouse.click(clear.x + clear.width / 2, clear.y + clear.height / 2);
  }
  return results;
};

const counted = (results, name, values) => {
  const count = (value) => {
    const of = results.filter((result) => result[name] === value);
    return `${value} ${of.filter(({ right }) => right).length}/${of.length}`;
  };
  return `${name}: ${values.map(count).join(", ")}`;
};

const report = (results, which) => {
  const wrong = results.filter(({ right }) => !right);
  const lines = [
    `${which}: ${results.length - wrong.length} of ${results.length} recognised`,
    counted(results, "label", [...new Set(results.map(({ label }) => label))]),
    counted(results, "size", Object.keys(SIZES)),
    counted(results, "pen", PENS),
    counted(results, "place", Object.keys(PLACES)),
    ...wrong.map(({ label, index, size, pen, place, best }) =>
      `  ${label} (test image ${index}), ${size}, ${pen} pen, ${place}: read as ${best}`),
  ];
  console.log(lines.join("\n"));
};

const check = async (address, which) => {
  let results = [];
  await opened(address, {}, async (page) => { results = await drawAll(page); });
  report(results, which);
  const sheet = join(place, `${which}.png`);
  writeFileSync(sheet, contactSheet(results));
  console.log(`what the network saw: ${sheet}`);
  const right = results.filter((result) => result.right).length;
  assert.ok(right >= ENOUGH, `${right} of ${results.length} drawings are recognised, fewer than ${ENOUGH}`);
};

test("drawings are recognised on the exported page", () => check(pathToFileURL(join(place, "page.html")).href, "exported"));

test("drawings are recognised on the served page", async () => {
  const asked = ["serve", "--model", "run", "--addr", "127.0.0.1:0"];
  const server = spawn(GLYPHNET, asked, { cwd: place, stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(server, "exit");
  try {
    const said = createInterface(server.stderr);
    const address = await new Promise((found, lost) => {
      said.on("line", (line) => { const match = line.match(/http:\S+\/(?=,|$|\s)/); if (match) found(match[0]); });
      said.on("close", () => lost(new Error("the server says no address")));
    });
    await check(address, "served");
  } finally {
    server.kill("SIGTERM");
  }
  assert.deepEqual(await ended, [0, null], "the server ends when it is asked to");
});
