// Writes a folder of colour images of three classes: circles, squares and triangles, `train/<class>/*.png` and so on.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { png } from "../png.mjs";

const SIDE = 24;

/** Numbers from 0 to 1 that look random and are always the same: mulberry32. */
const randomOf = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};

const INSIDE = {
  circle: (x, y) => x * x + y * y < 1,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.88,
  triangle: (x, y) => y < 0.8 && y > -0.9 && Math.abs(x) < (y + 0.9) * 0.62,
};

const draw = (inside, random) => {
  const [cx, cy] = [random, random].map((r) => SIDE * (0.4 + 0.2 * r()));
  const size = SIDE * (0.18 + 0.2 * random());
  const [ink, paper] = [0, 1].map(() => [random(), random(), random()].map((value) => 255 * value));
  const noise = 10 + 80 * random();
  const pixels = [];
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const colour = inside((x - cx) / size, (y - cy) / size) ? ink : paper;
      for (const value of colour) pixels.push(Math.round(Math.min(255, Math.max(0, value + noise * (random() - 0.5)))));
    }
  }
  return pixels;
};

/** `counts`: images of each class, by split. */
export const writeImages = (folder, counts) => {
  const random = randomOf(7);
  for (const [split, count] of Object.entries(counts)) {
    for (const [name, inside] of Object.entries(INSIDE)) {
      const place = join(folder, split, name);
      mkdirSync(place, { recursive: true });
      for (let n = 0; n < count; n++) writeFileSync(join(place, `${n}.png`), png(Uint8Array.from(draw(inside, random)), SIDE, SIDE));
    }
  }
};
