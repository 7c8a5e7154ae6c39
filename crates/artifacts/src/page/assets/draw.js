"use strict";
// A drawing as the images that the network has learned from: strokes are moved, scaled and drawn anew with the thickness
// of those, so that neither the pen nor the size and place of a drawing matter. No page needed.
(globalThis.glyphnet ??= {}).draw = (() => {
  /** A drawing is enlarged by at most this factor beyond what would give its pen the right thickness: so a dot stays a
   *  dot, and a hand that shook while it made one does not fill the image. */
  const MOST_ENLARGED = 8;
  /** Strokes of 2.6 pixels that are drawn with edges of 1 measure 1.65 (`Drawn::edge`): so much more is not drawn, as far
   *  as that leaves an edge at all. */
  const [SAMPLED, SHARPEST] = [0.65, 0.3];

  /** From where to where the strokes go: `[[x, x], [y, y]]`. */
  const extent = (strokes) => {
    const points = strokes.flatMap(({ points }) => points);
    return [0, 1].map((axis) => points.reduce(
      ([least, most], point) => [Math.min(least, point[axis]), Math.max(most, point[axis])], [Infinity, -Infinity]));
  };

  /** How much of each pixel is ink, 0 to 1, for lines of this thickness whose edges are so wide. */
  const coverage = (lines, [height, width], thickness, edge) => {
    const reach = (thickness + edge) / 2;
    const nearest = new Float64Array(height * width).fill(reach);
    for (const line of lines) {
      for (let i = 0; i < line.length; i++) {
        const [[ax, ay], [bx, by]] = [line[Math.max(0, i - 1)], line[i]];
        const [dx, dy] = [bx - ax, by - ay];
        const square = dx * dx + dy * dy || 1;
        const [left, right] = [Math.max(0, Math.floor(Math.min(ax, bx) - reach)), Math.min(width, Math.ceil(Math.max(ax, bx) + reach))];
        const [top, bottom] = [Math.max(0, Math.floor(Math.min(ay, by) - reach)), Math.min(height, Math.ceil(Math.max(ay, by) + reach))];
        for (let y = top; y < bottom; y++) {
          for (let x = left; x < right; x++) {
            const [px, py] = [x + 0.5 - ax, y + 0.5 - ay];
            const along = Math.min(1, Math.max(0, (px * dx + py * dy) / square));
            const distance = Math.hypot(px - along * dx, py - along * dy);
            if (distance < nearest[y * width + x]) nearest[y * width + x] = distance;
          }
        }
      }
    }
    return nearest.map((distance) => Math.min(1, (reach - distance) / edge));
  };

  /** Column and row of the centre of mass. */
  const centreOfMass = (ink, width) => {
    let [mass, x, y] = [0, 0, 0];
    ink.forEach((amount, i) => {
      mass += amount;
      x += amount * ((i % width) + 0.5);
      y += amount * (Math.floor(i / width) + 0.5);
    });
    return mass > 0 ? [x / mass, y / mass] : null;
  };

  /** The pixels of `strokes`, each `{ points: [[x, y], ...], width }`; the units are the caller's. `shape` is
   *  `[height, width, 1]`, and `drawn` says how the training images are drawn. Without strokes it is all ground. */
  const render = (strokes, shape, drawn) => {
    const [height, width] = shape;
    const paint = (amount) => Math.round(drawn.ground + (drawn.ink - drawn.ground) * amount);
    if (strokes.length === 0) return new Uint8Array(height * width).fill(paint(0));
    const box = extent(strokes);
    const longer = Math.max(...box.map(([least, most]) => most - least));
    const pen = strokes.reduce((sum, stroke) => sum + stroke.width, 0) / strokes.length;
    const scale = Math.min(Math.max(0, drawn.size - drawn.stroke) / Math.max(longer, 1e-9), MOST_ENLARGED * drawn.stroke / pen);
    const edge = Math.max(SHARPEST, drawn.edge - SAMPLED);
    const wanted = [drawn.centre[1], drawn.centre[0]];
    const middle = box.map(([least, most]) => (least + most) / 2);
    const ink = (shift) => {
      const place = (point) => [0, 1].map((axis) => (point[axis] - middle[axis]) * scale + wanted[axis] + shift[axis]);
      return coverage(strokes.map(({ points }) => points.map(place)), shape, drawn.stroke, edge);
    };
    let amounts = ink([0, 0]);
    if (drawn.centred_by === "mass") {
      // A second time, since what lies beyond the border had no weight the first.
      const shift = [0, 0];
      for (let turn = 0; turn < 2; turn++) {
        const centre = centreOfMass(amounts, width);
        if (!centre) break;
        for (const axis of [0, 1]) shift[axis] += wanted[axis] - centre[axis];
        amounts = ink(shift);
      }
    }
    const strongest = amounts.reduce((most, amount) => Math.max(most, amount), 1e-9);
    return Uint8Array.from(amounts, (amount) => paint(amount / strongest));
  };

  return { render };
})();
