// Centre lines of ink: a thinned picture, and the lines that lead through it.

/** Enlarges `amounts` (`side x side`) by a whole `factor`, linearly between the middles of pixels. */
export const enlarged = (amounts, side, factor) => {
  const at = (y, x) => (y >= 0 && x >= 0 && y < side && x < side ? amounts[y * side + x] : 0);
  const large = side * factor;
  return Float64Array.from({ length: large * large }, (_, i) => {
    const [y, x] = [Math.floor(i / large), i % large].map((place) => (place + 0.5) / factor - 0.5);
    const [top, left] = [Math.floor(y), Math.floor(x)];
    const [down, right] = [y - top, x - left];
    const row = (line) => at(line, left) * (1 - right) + at(line, left + 1) * right;
    return row(top) * (1 - down) + row(top + 1) * down;
  });
};

/** The eight neighbours of a pixel, clockwise from the one above. */
const ROUND = [[-1, 0], [-1, 1], [0, 1], [1, 1], [1, 0], [1, -1], [0, -1], [-1, -1]];

/** Thins what is `black` (`side x side`, none at the border) to lines of one pixel, in place (Zhang and Suen 1984). */
export const thin = (black, side) => {
  const around = (i) => ROUND.map(([dy, dx]) => black[i + dy * side + dx]);
  const removable = (i, turn) => {
    const p = around(i);
    const count = p.reduce((sum, value) => sum + value, 0);
    if (count < 2 || count > 6) return false;
    const rises = p.filter((value, k) => !value && p[(k + 1) % 8]).length;
    if (rises !== 1) return false;
    const [up, right, down, left] = [p[0], p[2], p[4], p[6]];
    return turn ? !(up && right && left) && !(up && down && left) : !(up && right && down) && !(right && down && left);
  };
  for (let idle = 0, turn = 0; idle < 2; turn = 1 - turn) {
    const gone = [];
    for (let i = 0; i < black.length; i++) if (black[i] && removable(i, turn)) gone.push(i);
    for (const i of gone) black[i] = 0;
    idle = gone.length ? 0 : idle + 1;
  }
  // What is left may turn a corner by way of a third pixel, which would look like a branch.
  for (let i = 0; i < black.length; i++) {
    if (!black[i]) continue;
    const p = around(i);
    const corner = [0, 2, 4, 6].some((k) => [0, 2].every((n) => p[(k + n) % 8]) && [4, 5, 6].every((n) => !p[(k + n) % 8]));
    if (corner) black[i] = 0;
  }
  return black;
};

/** The lines of a thinned picture (`lines`), from one end or branching to the next: `{ ends: [node, node], points: [[x, y],
 *  ...] }` in pixels; and the places of those `nodes`. Pixels of a branching that touch are one node, at their middle. */
export const lines = (black, side) => {
  const place = (i) => [(i % side) + 0.5, Math.floor(i / side) + 0.5];
  const neighbours = (i) => ROUND.map(([dy, dx]) => i + dy * side + dx).filter((n) => black[n]);
  const pixels = [...black.keys()].filter((i) => black[i]);
  const nodeOf = new Map();
  const nodes = [];
  const gather = (start, belongs) => {
    const members = [start];
    nodeOf.set(start, nodes.length);
    for (const member of members) {
      for (const n of neighbours(member)) {
        if (!belongs(n) || nodeOf.has(n)) continue;
        nodeOf.set(n, nodes.length);
        members.push(n);
      }
    }
    const places = members.map(place);
    nodes.push([0, 1].map((axis) => places.reduce((sum, p) => sum + p[axis], 0) / places.length));
  };
  const branches = (i) => neighbours(i).length > 2;
  for (const i of pixels) if (branches(i) && !nodeOf.has(i)) gather(i, branches);
  for (const i of pixels) if (neighbours(i).length < 2 && !nodeOf.has(i)) gather(i, () => false);

  const found = [];
  const walked = new Set();
  const walk = (from, first) => {
    const points = [place(first)];
    walked.add(first);
    let [before, here] = [from, first];
    for (;;) {
      // Back to the node it comes from, but not at once: a loop has some length.
      const fresh = (n) => (nodeOf.has(n) ? nodeOf.get(n) !== nodeOf.get(from) || points.length > 2 : !walked.has(n));
      const next = neighbours(here).filter((n) => n !== before && fresh(n));
      const node = next.find((n) => nodeOf.has(n));
      if (node !== undefined) return { points, end: nodeOf.get(node) };
      if (next.length === 0) return { points, end: null };
      [before, here] = [here, next[0]];
      walked.add(here);
      points.push(place(here));
    }
  };
  for (const from of nodeOf.keys()) {
    for (const first of neighbours(from)) {
      if (walked.has(first) || nodeOf.has(first)) continue;
      const start = nodeOf.get(from);
      const { points, end } = walk(from, first);
      const last = end ?? start;
      found.push({ ends: [start, last], points: [nodes[start], ...points, nodes[last]] });
    }
  }
  // Rings without any branching: any pixel will do as their end.
  for (const i of pixels) {
    if (walked.has(i) || nodeOf.has(i)) continue;
    gather(i, () => false);
    const { points } = walk(i, neighbours(i)[0]);
    const node = nodes.length - 1;
    found.push({ ends: [node, node], points: [nodes[node], ...points, nodes[node]] });
  }
  return { nodes, lines: found };
};
