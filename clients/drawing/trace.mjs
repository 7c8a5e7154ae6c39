// Traces centre lines of real test images of MNIST into strokes.json: node clients/drawing/trace.mjs
//
// Of each class three images, the first in each third of the test images (so three hands) whose centre lines, drawn anew
// with the thickness of the image's own strokes, cover the same pixels: intersection over union of at least AGREES.
// No network has a say in it.

import { readFileSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

import { enlarged, lines, thin } from "./skeleton.mjs";

const SIDE = 28;
const FACTOR = 4;
const THIRDS = 3;
const AGREES = 0.85;
const MOST_STROKES = 4;
/** In pixels of the image: a branch that ends after less than this is an artefact of thinning. */
const SPUR = 2.5;
/** Standard deviation of the smoothing along a stroke, and the distance of points, in pixels of the image. */
const [SMOOTH, STEP] = [1, 0.5];
const DECIMALS = 3;

const folder = new URL("../../data/mnist/", import.meta.url);
const unpacked = (name) => gunzipSync(readFileSync(new URL(name, folder)));
const images = unpacked("t10k-images-idx3-ubyte.gz").subarray(16);
const labels = unpacked("t10k-labels-idx1-ubyte.gz").subarray(8);
const image = (index) => Float64Array.from(images.subarray(index * SIDE * SIDE, (index + 1) * SIDE * SIDE), (v) => v / 255);

const length = (points) => points.slice(1).reduce((sum, p, i) => sum + Math.hypot(p[0] - points[i][0], p[1] - points[i][1]), 0);

/** Takes branches that are too short away, the shortest first, and joins what then has no branching between it. */
const pruned = (all) => {
  let kept = all;
  for (;;) {
    const degree = (node) => kept.reduce((sum, { ends }) => sum + ends.filter((end) => end === node).length, 0);
    // One end is free, the other at a branching.
    const spur = (ends) => ends.some((end) => degree(end) === 1) && ends.some((end) => degree(end) > 2);
    const spurs = kept.filter(({ ends, points }) => spur(ends) && length(points) < SPUR);
    if (spurs.length === 0) return kept;
    const shortest = spurs.reduce((a, b) => (length(b.points) < length(a.points) ? b : a));
    kept = joined(kept.filter((line) => line !== shortest));
  }
};

const reversed = ({ ends, points }) => ({ ends: ends.toReversed(), points: points.toReversed() });
const starting = (line, node) => (line.ends[0] === node ? line : reversed(line));
const ending = (line, node) => (line.ends[1] === node ? line : reversed(line));
const link = (before, after) => ({ ends: [before.ends[0], after.ends[1]], points: [...before.points, ...after.points.slice(1)] });

/** Joins the two lines that meet alone at a node. */
const joined = (all) => {
  let kept = all;
  for (const node of new Set(all.flatMap(({ ends }) => ends))) {
    const meeting = kept.filter(({ ends }) => ends.includes(node));
    if (meeting.length !== 2 || meeting.some(({ ends }) => ends[0] === ends[1])) continue;
    kept = [...kept.filter((line) => !meeting.includes(line)), link(ending(meeting[0], node), starting(meeting[1], node))];
  }
  return kept;
};

/** Where a line that starts at `node` is heading, over the first few pixels. */
const heading = ({ points }) => {
  const far = points[Math.min(points.length - 1, 3 * FACTOR)];
  return Math.atan2(far[1] - points[0][1], far[0] - points[0][0]);
};

/** The strokes that a pen would make: at each branching the two lines go on as one that bend least. */
const penned = (all, nodes) => {
  let kept = all;
  for (const node of nodes.keys()) {
    for (;;) {
      const meeting = kept.filter(({ ends }) => ends[0] !== ends[1] && ends.includes(node));
      let best = null;
      meeting.forEach((a, i) => meeting.slice(i + 1).forEach((b) => {
        const bend = Math.abs(Math.PI - Math.abs(heading(starting(a, node)) - heading(starting(b, node))));
        if (bend < Math.PI / 3 && (!best || bend < best.bend)) best = { bend, a, b };
      }));
      if (!best) break;
      const line = link(ending(best.a, node), starting(best.b, node));
      kept = [...kept.filter((other) => other !== best.a && other !== best.b), line];
    }
  }
  return kept;
};

/** Points at equal distances along a line. */
const resampled = (points, step) => {
  const total = length(points);
  const count = Math.max(1, Math.round(total / step));
  const result = [points[0]];
  let [piece, done] = [1, 0];
  for (let k = 1; k < count; k++) {
    const target = (total * k) / count;
    for (;;) {
      const [a, b] = [points[piece - 1], points[piece]];
      const long = Math.hypot(b[0] - a[0], b[1] - a[1]);
      if (done + long >= target || piece === points.length - 1) {
        const t = long ? (target - done) / long : 0;
        result.push([a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])]);
        break;
      }
      done += long;
      piece += 1;
    }
  }
  return [...result, points.at(-1)];
};

/** A Gaussian along the line; its ends stay, or are one where they are one place. */
const smoothed = (points, step) => {
  const ring = length([points[0], points.at(-1)]) < 1e-9 && points.length > 4;
  const reach = Math.ceil((3 * SMOOTH) / step);
  const last = points.length - 1;
  return points.map((_, i) => {
    const own = ring ? reach : Math.min(reach, i, last - i);
    const sum = [0, 0, 0];
    for (let k = -own; k <= own; k++) {
      const weight = Math.exp(-0.5 * ((k * step) / SMOOTH) ** 2);
      const point = points[ring ? (i + k + 2 * last) % last : i + k];
      sum[0] += weight * point[0];
      sum[1] += weight * point[1];
      sum[2] += weight;
    }
    return [sum[0] / sum[2], sum[1] / sum[2]];
  });
};

/** The strokes in an image, in its pixels; each a list of points. */
const strokesOf = (amounts) => {
  const side = SIDE * FACTOR;
  const black = Uint8Array.from(enlarged(amounts, SIDE, FACTOR), (v) => Number(v >= 0.5));
  const small = lines(thin(black, side), side);
  const inPixels = small.lines.map(({ ends, points }) => ({ ends, points: points.map((p) => p.map((v) => v / FACTOR)) }));
  const strokes = penned(joined(pruned(inPixels)), small.nodes).map(({ points }) => points);
  const long = strokes.filter((points) => length(points) >= SPUR);
  const smooth = long.map((points) => smoothed(resampled(points, STEP), STEP));
  // As people write: from above, left before right.
  const order = ([x, y]) => y + x / 4;
  const forward = smooth.map((points) => (order(points[0]) <= order(points.at(-1)) ? points : points.toReversed()));
  return forward.sort((a, b) => order(a[0]) - order(b[0]));
};

/** Whether each pixel is nearer to the strokes than half of `thickness`. */
const covered = (strokes, thickness) => Array.from({ length: SIDE * SIDE }, (_, i) => {
  const [x, y] = [(i % SIDE) + 0.5, Math.floor(i / SIDE) + 0.5];
  return strokes.some((points) => points.some((p) => Math.hypot(p[0] - x, p[1] - y) <= thickness / 2));
});

/** Intersection over union of the image and its strokes drawn anew. */
const agreement = (amounts, strokes) => {
  const area = amounts.reduce((sum, v) => sum + v, 0);
  const redrawn = covered(strokes, area / strokes.reduce((sum, points) => sum + length(points), 0));
  const both = redrawn.filter((inside, i) => inside && amounts[i] >= 0.5).length;
  return both / redrawn.filter((inside, i) => inside || amounts[i] >= 0.5).length;
};

/** In units of the longer side of their box, whose upper left corner is 0, 0. */
const inBox = (strokes) => {
  const all = strokes.flat();
  const [left, top] = [0, 1].map((axis) => Math.min(...all.map((p) => p[axis])));
  const size = Math.max(...[0, 1].map((axis) => Math.max(...all.map((p) => p[axis])) - [left, top][axis]));
  const unit = (value) => Number((value / size).toFixed(DECIMALS));
  return strokes.map((points) => points.map(([x, y]) => [unit(x - left), unit(y - top)]));
};

const third = Math.ceil(labels.length / THIRDS);
const chosen = [];
for (let label = 0; label < 10; label++) {
  for (let part = 0; part < THIRDS; part++) {
    for (let index = part * third; ; index++) {
      if (labels[index] !== label) continue;
      const strokes = strokesOf(image(index));
      if (strokes.length === 0 || strokes.length > MOST_STROKES) continue;
      if (agreement(image(index), strokes) < AGREES) continue;
      chosen.push({ label, index, strokes: inBox(strokes) });
      break;
    }
  }
}
const digits = chosen.map((digit) => `  ${JSON.stringify(digit)}`).join(",\n");
const about = "Centre lines of test images of MNIST (CC BY-SA 3.0, LeCun and Cortes), by trace.mjs. index: of the test image; " +
  "strokes: lists of [x, y] in units of the longer side of their box.";
const text = `{\n"about": ${JSON.stringify(about)},\n"digits": [\n${digits}\n]\n}\n`;
writeFileSync(new URL("strokes.json", import.meta.url), text);
for (const { label, index, strokes } of chosen) {
  console.log(`${label}: test image ${index}, ${strokes.length} strokes, ${strokes.flat().length} points`);
}
