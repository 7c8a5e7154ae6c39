// The page's engine and preprocessing in Node.js, against what the program says of the same images.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { load } from "./scripts.mjs";

const PLACE = process.env.CASES;
/** Of the largest logit, at least of 1. */
const TOLERANCE = 1e-4;
const read = (name) => JSON.parse(readFileSync(join(PLACE, name), "utf8"));
const decode = (text) => new Uint8Array(Buffer.from(text, "base64"));
const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const difference = (a, b) => largest(Array.from(a, (value, i) => value - b[i]));

const names = readdirSync(PLACE).filter((name) => name.endsWith(".html")).map((name) => name.slice(0, -5));

test("there are networks of every kind and with every activation", () => {
  const layers = names.flatMap((name) => load(join(PLACE, `${name}.html`)).model.layers);
  const kinds = ["activation", "avg_pool2d", "batch_norm", "conv2d", "dense", "dropout", "flatten", "global_avg_pool2d", "max_pool2d"];
  assert.deepEqual([...new Set(layers.map(({ kind }) => kind))].sort(), kinds);
  const activations = ["elu", "gelu", "leaky_relu", "linear", "relu", "sigmoid", "silu", "softmax", "tanh"];
  assert.deepEqual([...new Set(layers.flatMap(({ activation }) => activation ?? []))].sort(), activations);
});

describe("logits and probabilities agree", () => {
  for (const name of names) {
    test(name, (t) => {
      const { logits, predict, model } = load(join(PLACE, `${name}.html`));
      const expected = read(`${name}.json`);
      const most = Math.max(1, largest(expected.logits.flat()));
      let worst = 0;
      expected.images.forEach((image, i) => {
        const said = logits(decode(image));
        assert.equal(said.length, expected.logits[i].length);
        // With test-time augmentation the program's logits are those of several views.
        if (!model.preprocess.tta_below) worst = Math.max(worst, difference(said, expected.logits[i]) / most);
        assert.ok(difference(predict(decode(image)), expected.probabilities[i]) <= TOLERANCE * most);
      });
      assert.ok(worst <= TOLERANCE, `${worst} of the largest logit`);
      if (name === "trained") t.diagnostic(`largest difference on ${expected.images.length} test images: ${worst.toExponential(1)} of the largest logit`);
    });
  }
});

describe("images become what the network is given", () => {
  const { glyphnet } = load(join(PLACE, "trained.html"));
  for (const { name, height, width, rgba, becomes } of read("images.json")) {
    test(name, () => {
      const image = glyphnet.preprocess.flatten(decode(rgba), height, width);
      for (const { input, resize, polarity, pixels, swapped } of becomes) {
        const what = `to ${input.join(" x ")} by ${resize} for ${polarity}`;
        const found = glyphnet.preprocess.toInput(image, input, resize);
        assert.equal(glyphnet.preprocess.swapIfOpposite(found, input, polarity), swapped, what);
        const expected = decode(pixels);
        assert.equal(found.length, expected.length);
        // A grey level that lies in the middle may be rounded the other way; a swap stretches that, at most by as much
        // as it stretches the ink.
        assert.ok(difference(found, expected) <= (swapped ? 2 : 1), `${what}: off by ${difference(found, expected)}`);
      }
    });
  }
});
