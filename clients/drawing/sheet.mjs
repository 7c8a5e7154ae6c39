// What the network saw of many drawings, in one picture.

import { png } from "../png.mjs";

/** The colour behind what was not recognised. */
const WRONG = [220, 0, 0];
const [SCALE, GAP] = [2, 4];

/** A PNG of results, each with `label`, square `pixels` and whether it is `right`: a row for each label, what is wrong on
 *  red. */
export const contactSheet = (results) => {
  const side = Math.sqrt(results[0].pixels.length);
  const cell = side * SCALE + GAP;
  const rows = [...new Set(results.map(({ label }) => label))];
  const columns = results.length / rows.length;
  const [width, height] = [columns * cell + GAP, rows.length * cell + GAP];
  const image = Buffer.alloc(width * height * 3, 255);
  results.forEach(({ pixels, right }, n) => {
    const [left, top] = [(n % columns) * cell, Math.floor(n / columns) * cell];
    for (let y = 0; y < cell + GAP; y++) {
      for (let x = 0; x < cell + GAP; x++) {
        const [row, column] = [y, x].map((at) => Math.floor((at - GAP) / SCALE));
        const inside = y >= GAP && x >= GAP && row < side && column < side;
        if (!inside && right) continue;
        const colour = inside ? Array(3).fill(pixels[row * side + column]) : WRONG;
        image.set(colour, ((top + y) * width + left + x) * 3);
      }
    }
  });
  return png(image, width, height);
};
