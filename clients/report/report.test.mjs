// The report of small runs in Chromium, opened from its file as by a double-click.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { accessible, opened as openedAt, valid } from "../browser.mjs";
import { writeImages } from "./images.mjs";

const GLYPHNET = process.env.GLYPHNET;
const MOST_BYTES = 2_000_000;

const place = mkdtempSync(join(tmpdir(), "glyphnet-report-"));
const glyphnet = (...args) => execFileSync(GLYPHNET, args, { cwd: place, stdio: ["ignore", "pipe", "pipe"] });
/** The runs, and what is special about them. */
const RUNS = {
  mnist: { classes: 10, splits: ["validation", "test"], channels: 1 },
  shapes: { classes: 3, splits: ["validation", "test"], channels: 3 },
  alone: { classes: 10, splits: ["test"], channels: 1 },
};
const report = (run) => join(place, run, "report.html");

before(() => {
  writeImages(join(place, "images"), { train: 120, test: 40 });
  glyphnet("train", "--fast-run", "--set", "data.limit=3000", "--out", "mnist");
  glyphnet("train", "--data", "images", "--epochs", "3", "--out", "shapes");
  glyphnet("train", "--fast-run", "--set", "data.limit=500", "--set", "data.validation=0", "--set", "early_stopping=none", "--out", "alone");
});
after(() => rmSync(place, { recursive: true }));

/** Opens a run's report. */
const opened = (run, options, look) => openedAt(pathToFileURL(report(run)).href, options, look);

/** The first cell off the diagonal of the matrix that is shown, with its count. */
const wrongCell = async (page) => {
  const cells = page.locator("section.split:not([hidden]) .matrix tbody td:not(.own) button");
  const cell = cells.first();
  return [cell, Number((await cell.locator("b").textContent()).replace(",", ""))];
};

for (const [run, { classes, splits, channels }] of Object.entries(RUNS)) {
  describe(`the report of ${run}`, () => {
    test("is small, valid and made again to the byte", async () => {
      const text = readFileSync(report(run), "utf8");
      assert.ok(statSync(report(run)).size < MOST_BYTES, `${statSync(report(run)).size} bytes`);
      await valid(text);
      glyphnet("report", run);
      assert.equal(readFileSync(report(run), "utf8"), text);
    });

    test("has what it should, without JavaScript too", () =>
      opened(run, { javaScriptEnabled: false }, async (page) => {
        for (const split of splits) {
          await page.locator(`#${split} h2`).waitFor({ state: "visible" });
          assert.equal(await page.locator(`#${split} .matrix tbody tr`).count(), classes);
          assert.ok((await page.locator(`#${split} .gallery .thumb`).count()) > 0);
        }
        assert.equal(await page.locator("section.split").count(), splits.length);
        assert.ok(await page.locator("#chart-loss svg").isVisible());
        assert.match(await page.locator("#chart-loss svg .marks.training").getAttribute("d"), /^M[\d.]+ [\d.]+h0/);
        for (const script of await page.locator(".script").all()) assert.ok(!(await script.isVisible()));
      }));

    test("opens the images of a cell by mouse and by keyboard", () =>
      opened(run, {}, async (page) => {
        const [cell, count] = await wrongCell(page);
        await cell.click();
        const dialog = page.locator("#images");
        assert.ok(await dialog.isVisible());
        const shown = await dialog.locator("figure").count();
        assert.ok(shown > 0 && shown <= count, `${shown} of ${count} images`);
        assert.match(await dialog.locator("#images-note").textContent(), new RegExp(`^${count} ${splits[0]} image`));
        const sheet = await dialog.locator(".thumb").first().evaluate(async (thumb) => {
          const image = new Image();
          image.src = getComputedStyle(thumb).backgroundImage.slice(5, -2);
          await image.decode();
          const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
          const brush = canvas.getContext("2d");
          brush.drawImage(image, 0, 0);
          const pixels = brush.getImageData(0, 0, image.width, image.height).data;
          let coloured = 0;
          for (let at = 0; at < pixels.length; at += 4) coloured += Number(pixels[at] !== pixels[at + 1]);
          return { width: image.width, values: new Set(pixels).size, coloured };
        });
        assert.ok(sheet.width > 0 && sheet.values > 50, JSON.stringify(sheet));
        assert.equal(sheet.coloured > 0, channels === 3);
        await page.keyboard.press("Escape");
        assert.ok(!(await dialog.isVisible()));

        // From the first cell of its line to the one that was clicked.
        const line = cell.locator("xpath=ancestor::tr");
        const places = await line.locator("button").evaluateAll((buttons) => buttons.map((button) => button.dataset.as));
        await line.locator("button").first().focus();
        for (let step = places.indexOf(await cell.getAttribute("data-as")); step > 0; step--) await page.keyboard.press("ArrowRight");
        await page.keyboard.press("Enter");
        assert.ok(await dialog.isVisible());
        assert.equal(await dialog.locator("figure").count(), shown);
        await page.keyboard.press("Escape");
        assert.ok(!(await dialog.isVisible()));
        assert.equal(await page.locator(":focus").getAttribute("aria-label"), await cell.getAttribute("aria-label"));
      }));

    test("is accessible in light and dark, with an image open and without", () =>
      opened(run, { colorScheme: "light" }, async (page) => {
        const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
        const light = await paper();
        await accessible(page);
        await page.emulateMedia({ colorScheme: "dark" });
        const dark = await paper();
        assert.notEqual(dark, light);
        await accessible(page);
        await page.locator("#theme").click();
        assert.equal(await paper(), light);
        await page.locator("#theme").click();
        await (await wrongCell(page))[0].click();
        await accessible(page);
      }));

    test("fits a phone", () =>
      opened(run, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }, async (page) => {
        const wide = async () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(await wide(), 0);
        await (await wrongCell(page))[0].tap();
        assert.ok(await page.locator("#images").isVisible());
        const box = await page.locator("#images").boundingBox();
        assert.ok(box.x >= 0 && box.x + box.width <= 390, JSON.stringify(box));
        assert.equal(await wide(), 0);
      }));

    test("prints", () =>
      opened(run, {}, async (page) => {
        const pdf = await page.pdf({ format: "A4", printBackground: true });
        assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
        const pages = pdf.toString("latin1").match(/\/Type\s*\/Page\b(?!s)/g).length;
        assert.ok(pages >= 3 && pages <= 14, `${pages} pages`);
      }));
  });
}

test("one split is shown at a time, validation first, and cells are counted or shared", () =>
  opened("mnist", {}, async (page) => {
    const [validation, test] = [page.locator("#validation"), page.locator("#test")];
    assert.ok((await validation.isVisible()) && !(await test.isVisible()));
    await page.locator(".splits button", { hasText: "Test" }).click();
    assert.ok(!(await validation.isVisible()) && (await test.isVisible()));
    assert.match(await test.textContent(), /chooses by them/);
    await page.locator("nav.bar a", { hasText: "Validation" }).click();
    assert.ok((await validation.isVisible()) && !(await test.isVisible()));

    const cell = validation.locator(".matrix td.own button").first();
    const [count, share] = [await cell.locator("b").textContent(), await cell.locator("i").textContent()];
    assert.equal(await cell.innerText(), count);
    await validation.locator("[data-show=shares]").click();
    assert.equal(await cell.innerText(), share);
    await cell.hover();
    assert.match(await validation.locator(".cell-text").textContent(), new RegExp(`^${count} images labelled .* \\(${share} %`));
  }));

test("curves tell the epoch under the pointer and of the slider", () =>
  opened("shapes", {}, async (page) => {
    const history = readFileSync(join(place, "shapes", "history.csv"), "utf8").trim().split("\n").map((line) => line.split(","));
    const loss = (epoch) => Number(history[epoch][1]).toFixed(4);
    const read = page.locator("#chart-loss .read");
    const box = await page.locator("#chart-loss svg").boundingBox();
    await page.mouse.move(box.x + box.width * 0.2, box.y + box.height / 2);
    assert.match(await read.textContent(), new RegExp(`epoch 1 .*${loss(1)}`));
    assert.match(await page.locator("#chart-accuracy .read").textContent(), /epoch 1 /);
    await page.mouse.move(box.x + box.width * 0.95, box.y + box.height / 2);
    assert.match(await read.textContent(), new RegExp(`epoch 3 .*${loss(3)}`));
    await page.mouse.move(0, 0);
    await page.locator("#epoch").focus();
    // One of the two is not the epoch that is shown at first.
    await page.keyboard.press("Home");
    assert.match(await read.textContent(), new RegExp(`epoch 1 .*${loss(1)}`));
    await page.keyboard.press("ArrowRight");
    assert.match(await read.textContent(), new RegExp(`epoch 2 .*${loss(2)}`));
  }));

test("tables sort both ways", () =>
  opened("mnist", {}, async (page) => {
    const head = page.locator("#validation .sortable thead th", { hasText: "F1" });
    const column = async () => {
      const texts = await page.locator("#validation .sortable tbody tr td:nth-child(4)").allTextContents();
      return texts.map((text) => Number.parseFloat(text));
    };
    await head.locator("button").click();
    const up = await column();
    assert.deepEqual(up, [...up].sort((a, b) => a - b));
    assert.equal(await head.getAttribute("aria-sort"), "ascending");
    await head.locator("button").click();
    assert.deepEqual(await column(), up.reverse());
  }));

test("without stored images a cell says so", () => {
  cpSync(join(place, "shapes"), join(place, "bare"), { recursive: true });
  rmSync(join(place, "bare", "thumbnails.safetensors"));
  glyphnet("report", "bare");
  return opened("bare", {}, async (page) => {
    assert.equal(await page.locator("#validation .cell-text").textContent(), "Point at a cell to read it.");
    assert.ok(await page.locator("#validation button.image").first().isDisabled());
    await (await wrongCell(page))[0].click();
    assert.match(await page.locator("#images-note").textContent(), /none of them is stored with the run$/);
    assert.equal(await page.locator("#images figure").count(), 0);
  });
});
