// The 270 drawings: ten digits in three sizes, with three pens, at three places, traced from real test images
// (strokes.json).

import { readFileSync } from "node:fs";

const { digits } = JSON.parse(readFileSync(new URL("strokes.json", import.meta.url), "utf8"));

/** Heights of the drawing as shares of the board's; between the middles of lines, without the pen. */
export const SIZES = { small: 0.25, medium: 0.45, large: 0.75 };
export const PENS = ["thin", "medium", "thick"];
/** How much of the free room lies to the left and above. */
export const PLACES = { centre: [0.5, 0.5], "upper left": [0, 0], "lower right": [1, 1] };
/** Room that is left at the edge of the board beside half a pen, as a share of its side. */
const MARGIN = 0.02;

/** All drawings: `{ label, index, size, pen, place, strokes(board, width) }`, where `strokes` gives lists of points for
 *  a board `{ x, y, width, height }` and a pen of this width. Each image is drawn in each size, with each pen and at
 *  each place three times. */
export const drawings = () => {
  const labels = [...new Set(digits.map(({ label }) => label))];
  return labels.flatMap((label) => {
    const images = digits.filter((digit) => digit.label === label);
    return Object.keys(SIZES).flatMap((size, a) => PENS.flatMap((pen, b) => Object.keys(PLACES).map((place, c) => {
      const { index, strokes } = images[(a + b + c) % images.length];
      const onBoard = (board, width) => placed(strokes, SIZES[size], PLACES[place], board, width);
      return { label, index, size, pen, place, strokes: onBoard };
    })));
  });
};

const placed = (strokes, share, room, board, width) => {
  const side = share * board.height;
  const points = strokes.flat();
  const edge = width / 2 + MARGIN * board.height;
  const from = [0, 1].map((axis) => {
    const long = side * Math.max(...points.map((point) => point[axis]));
    const free = (axis ? board.height : board.width) - long - 2 * edge;
    return (axis ? board.y : board.x) + edge + free * room[axis];
  });
  return strokes.map((stroke) => stroke.map((point) => point.map((value, axis) => from[axis] + side * value)));
};
