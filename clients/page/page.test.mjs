// The stand-alone page in Chromium, opened from its file as by a double-click: drawn on, and shown images.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { accessible, opened as openedAt, valid } from "../browser.mjs";

const PLACE = process.env.CASES;
const file = (name) => join(PLACE, `${name}.html`);
const opened = (name, options, look) => openedAt(pathToFileURL(file(name)).href, options, look);
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

/** A page to draw on, and one for colour images alone. */
const DRAWN = "trained";
const SHOWN = "conv-same-odd";

/** Strokes in hundredths of the board. */
const ONE = [[[50, 15], [50, 30], [49, 55], [49, 85]]];
const SEVEN = [[[25, 20], [50, 19], [75, 20], [62, 45], [50, 70], [44, 85]]];
const EQUALS = [[[25, 35], [75, 35]], [[25, 65], [75, 65]]];

const state = (page) => page.evaluate(async () => {
  const { glyphnet } = globalThis;
  await glyphnet.settled();
  const { lastPixels, lastProbabilities } = glyphnet;
  const said = lastProbabilities && Array.from(lastProbabilities);
  const best = said && said.indexOf(Math.max(...said));
  return { pixels: lastPixels && Array.from(lastPixels), said, best: said && glyphnet.model.classes[best] };
});

const along = async (page, strokes, { down, move, up }) => {
  const box = await page.locator("#board").boundingBox();
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [box.x + (box.width * x) / 100, box.y + (box.height * y) / 100]);
    await down(points[0]);
    for (let i = 1; i < points.length; i++) {
      for (let part = 1; part <= 6; part++) {
        await move([0, 1].map((axis) => points[i - 1][axis] + ((points[i][axis] - points[i - 1][axis]) * part) / 6));
      }
    }
    await up();
  }
};

const byMouse = (page, strokes) => along(page, strokes, {
  down: async ([x, y]) => {
    await page.mouse.move(x, y);
    await page.mouse.down();
  },
  move: ([x, y]) => page.mouse.move(x, y),
  up: () => page.mouse.up(),
});

const byTouch = async (page, strokes) => {
  const session = await page.context().newCDPSession(page);
  const send = (type, touchPoints) => session.send("Input.dispatchTouchEvent", { type, touchPoints });
  await along(page, strokes, {
    down: ([x, y]) => send("touchStart", [{ x, y }]),
    move: ([x, y]) => send("touchMove", [{ x, y }]),
    up: () => send("touchEnd", []),
  });
};

/** Lets files fall on the page. */
const drop = (page, files) => page.evaluate((files) => {
  const dataTransfer = new DataTransfer();
  for (const { name, type, data } of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    dataTransfer.items.add(new File([bytes], name, { type }));
  }
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}, files);

const prepared = JSON.parse(readFileSync(join(PLACE, "images.json"), "utf8"));
const pngs = (...names) => names.map((name) => ({ name: `${name}.png`, type: "image/png", data: named(name).png }));
const named = (wanted) => prepared.find(({ name }) => name === wanted);
const shares = (page) => page.locator("#bars .share").allTextContents();

describe("the page to draw on", () => {
  test("is valid HTML", () => valid(readFileSync(file(DRAWN), "utf8")));

  test("says without JavaScript that it needs it", () =>
    opened(DRAWN, { javaScriptEnabled: false }, async (page) => {
      assert.ok(await page.locator("noscript p").isVisible());
      assert.ok(!(await page.locator(".desk").isVisible()));
      assert.ok(await page.locator(".about").isVisible());
    }));

  test("sees what the mouse draws, as it draws", () =>
    opened(DRAWN, {}, async (page) => {
      const empty = await state(page);
      assert.equal(empty.said, null);
      assert.ok(empty.pixels.every((value) => value === empty.pixels[0]));
      const seen = [];
      await along(page, SEVEN, {
        down: async ([x, y]) => {
          await page.mouse.move(x, y);
          await page.mouse.down();
        },
        move: async ([x, y]) => {
          await page.mouse.move(x, y);
          seen.push((await state(page)).said.join());
        },
        up: () => page.mouse.up(),
      });
      assert.ok(new Set(seen).size > 10, `${new Set(seen).size} answers while drawing`);
      const seven = await state(page);
      assert.equal(seven.best, "7");
      assert.ok(Math.abs(seven.said.reduce((sum, share) => sum + share) - 1) < 1e-5);
      assert.equal(await page.locator("#best").textContent(), "7");
      assert.equal(await page.locator(".likeliest .name").textContent(), "7");
      // The page's own answer, asked from the outside.
      const asked = await page.evaluate(() => Array.from(globalThis.glyphnet.predict(globalThis.glyphnet.lastPixels)));
      assert.deepEqual(asked, seven.said);
      await page.waitForFunction(() => document.getElementById("said").textContent.startsWith("7, "));
    }));

  test("takes back strokes one by one, and all at once", () =>
    opened(DRAWN, {}, async (page) => {
      const answers = [(await state(page)).said];
      for (const stroke of EQUALS) {
        await byMouse(page, [stroke]);
        answers.push((await state(page)).said);
      }
      await page.locator("#undo").click();
      assert.deepEqual((await state(page)).said, answers[1]);
      await page.keyboard.press("Control+z");
      assert.deepEqual((await state(page)).said, answers[0]);
      assert.ok(await page.locator("#undo").isDisabled());
      await byMouse(page, EQUALS);
      assert.deepEqual((await state(page)).said, answers[2]);
      await page.locator("#clear").click();
      assert.equal((await state(page)).said, null);
      assert.ok(await page.locator("#hint").isVisible());
      assert.equal(await page.locator("#best").textContent(), "\u2013");
      // What was cleared by mistake comes back.
      await page.locator("#undo").click();
      assert.deepEqual((await state(page)).said, answers[2]);
    }));

  test("sees the same drawing whatever its size, place and pen", () =>
    opened(DRAWN, {}, async (page) => {
      const draw = async (pen, change) => {
        await page.locator("#pen").fill(String(pen));
        await byMouse(page, SEVEN.map((stroke) => stroke.map(change)));
        const { pixels } = await state(page);
        await page.locator("#clear").click();
        return pixels;
      };
      const usual = await draw(7, (point) => point);
      const contrast = Math.max(...usual) - Math.min(...usual);
      for (const [pen, scale, x, y] of [[2, 1, 0, 0], [16, 1, 0, 0], [7, 0.3, 0, 0], [16, 0.4, 60, 58], [3, 0.35, 2, 60]]) {
        const pixels = await draw(pen, (point) => [point[0] * scale + x, point[1] * scale + y]);
        const difference = pixels.reduce((sum, value, i) => sum + Math.abs(value - usual[i]), 0);
        const ink = usual.reduce((sum, value) => sum + Math.abs(value - usual[0]), 0);
        // The pointer moves by whole pixels of the screen.
        assert.ok(difference < 0.12 * ink, `pen ${pen}, scale ${scale}: ${difference / ink} of the ink is elsewhere`);
        assert.ok(Math.max(...pixels) - Math.min(...pixels) >= contrast - 1);
      }
    }));

  test("keeps a dot a dot and a flat stroke flat", () =>
    opened(DRAWN, {}, async (page) => {
      const inked = async (strokes) => {
        await byMouse(page, strokes);
        const { pixels } = await state(page);
        await page.locator("#clear").click();
        const width = await page.evaluate(() => globalThis.glyphnet.model.input[1]);
        const rows = new Set();
        const columns = new Set();
        pixels.forEach((value, i) => {
          if (Math.abs(value - pixels[0]) < 128) return;
          rows.add(Math.floor(i / width));
          columns.add(i % width);
        });
        return [rows.size, columns.size];
      };
      const [dotHigh, dotWide] = await inked([[[20, 80]]]);
      assert.ok(dotHigh >= 1 && dotHigh <= 4 && dotWide >= 1 && dotWide <= 4, `${dotHigh} x ${dotWide}`);
      const [flatHigh, flatWide] = await inked([[[40, 30], [60, 30]]]);
      assert.ok(flatHigh <= 4 && flatWide >= 17 && flatWide <= 23, `${flatHigh} x ${flatWide}`);
    }));

  test("is drawn on by keyboard", () =>
    opened(DRAWN, {}, async (page) => {
      await page.locator("#board").focus();
      for (let step = 0; step < 12; step++) await page.keyboard.press("ArrowUp");
      await page.keyboard.press("Space");
      for (let step = 0; step < 24; step++) await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Space");
      assert.equal((await state(page)).best, "1");
      await page.keyboard.press("ArrowLeft");
      assert.equal((await state(page)).best, "1");
      await page.keyboard.press("Escape");
      assert.equal((await state(page)).said, null);
    }));

  test("shows what is dropped, and goes back to drawing", () =>
    opened(DRAWN, {}, async (page) => {
      await byMouse(page, ONE);
      const drawn = await state(page);
      const files = pngs("dark on paper", "white on nothing", "colours");
      await drop(page, [...files, { name: "words.txt", type: "text/plain", data: btoa("no image") }]);
      await page.locator("#cards li").nth(2).waitFor();
      const shown = await state(page);
      const { input, preprocess } = await page.evaluate(() => globalThis.glyphnet.model);
      const sameSettings = ({ resize, polarity, ...wanted }) =>
        resize === preprocess.resize && polarity === preprocess.polarity && String(wanted.input) === String(input);
      const expected = Buffer.from(named("dark on paper").becomes.find(sameSettings).pixels, "base64");
      assert.ok(shown.pixels.every((value, i) => Math.abs(value - expected[i]) <= 2));
      assert.notDeepEqual(shown.said, drawn.said);
      assert.equal(await page.locator("#cards li").count(), 3);
      assert.match(await page.locator("#trouble").textContent(), /^words.txt cannot be shown/);
      assert.equal(await page.locator("[aria-pressed=true] .file").textContent(), "dark on paper.png");
      await page.locator(".card").nth(2).click();
      assert.notDeepEqual((await state(page)).said, shown.said);
      await byMouse(page, ONE);
      assert.equal(await page.locator("[aria-pressed=true]").count(), 0);
      assert.deepEqual((await state(page)).said, drawn.said);
    }));

  test("does without a worker", () =>
    opened(DRAWN, { init: () => { delete globalThis.Worker; } }, async (page) => {
      await byMouse(page, SEVEN);
      assert.equal((await state(page)).best, "7");
    }));

  test("is accessible in light and dark, empty and drawn on", () =>
    opened(DRAWN, { colorScheme: "light" }, async (page) => {
      await accessible(page);
      await byMouse(page, SEVEN);
      await drop(page, pngs("colours"));
      await page.locator("#cards li").first().waitFor();
      await accessible(page);
      await page.locator("#theme").click();
      await accessible(page);
    }));

  test("does not move while one draws", () =>
    opened(DRAWN, {}, async (page) => {
      const places = () => page.evaluate(() => ["board", "bars", "seen", "clear"].map((id) => JSON.stringify(document.getElementById(id).getBoundingClientRect())));
      const before = await places();
      await byMouse(page, SEVEN);
      await state(page);
      assert.deepEqual(await places(), before);
    }));

  test("is drawn on by finger on a phone, and fits it", () =>
    opened(DRAWN, PHONE, async (page) => {
      const wide = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(await wide(), 0);
      await page.locator("#board").scrollIntoViewIfNeeded();
      const scrolled = await page.evaluate(() => scrollY);
      await byTouch(page, SEVEN);
      assert.equal((await state(page)).best, "7");
      assert.equal(await page.evaluate(() => scrollY), scrolled, "drawing scrolls the page");
      // What follows a stroke as fast as a machine can tap is taken for a part of it; a hand needs as long as this.
      await page.waitForTimeout(500);
      await page.locator("#undo").tap();
      await page.locator("#undo:disabled").waitFor();
      assert.equal((await state(page)).said, null);
      await byTouch(page, ONE);
      assert.equal((await state(page)).best, "1");
      assert.equal(await wide(), 0);
    }));
});

describe("the page for images", () => {
  test("is valid HTML", () => valid(readFileSync(file(SHOWN), "utf8")));

  test("shows what is chosen, in colour", () =>
    opened(SHOWN, {}, async (page) => {
      assert.equal(await page.locator("#board").count(), 0);
      assert.deepEqual(new Set(await shares(page)), new Set([""]));
      await accessible(page);
      const [{ name, type, data }] = pngs("colours");
      await page.locator("#files").setInputFiles([{ name, mimeType: type, buffer: Buffer.from(data, "base64") }]);
      await page.locator("#cards li").first().waitFor();
      const { pixels, said } = await state(page);
      assert.equal(pixels.length, 13 * 10 * 3);
      assert.ok(pixels.some((value, i) => i % 3 === 0 && value !== pixels[i + 1]), "colour is gone");
      assert.ok(Math.abs(said.reduce((sum, share) => sum + share) - 1) < 1e-5);
      assert.ok(!(await shares(page)).includes(""));
      await accessible(page);
    }));

  test("fits a phone", () =>
    opened(SHOWN, PHONE, async (page) => {
      await drop(page, pngs("colours", "veil", "a line of pixels"));
      await page.locator("#cards li").nth(2).waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
    }));
});
