"use strict";
// From the pixels of an image to probabilities. No page needed.
(globalThis.glyphnet ??= {}).predictor = (model, weights) => {
  const { engine, preprocess } = globalThis.glyphnet;
  const [height, width, channels] = model.input;
  const size = weights.length / model.networks;
  const slices = Array.from({ length: model.networks }, (_, i) => weights.subarray(i * size, (i + 1) * size));
  const networks = slices.map((slice) => engine.network(model.layers, slice));
  const below = model.preprocess.tta_below;
  // The least probability that a logarithm is taken of: the least normal number of single precision.
  const least = 2 ** -126;

  /** What the network says before softmax of pixels of 0 to 255; of several networks the logarithms of the mean of their
   *  probabilities. */
  const logits = (pixels) => {
    const input = preprocess.normalise(pixels, channels, model.preprocess);
    if (networks.length === 1) return networks[0](input);
    const all = networks.map((network) => engine.softmax(network(input), model.classes.length));
    const mean = (label) => all.reduce((sum, row) => sum + row[label], 0) / all.length;
    return all[0].map((_, label) => Math.log(Math.max(least, mean(label))));
  };
  const plain = (pixels) => engine.softmax(logits(pixels), model.classes.length);

  /** The image moved down and to the right; what moves in from outside repeats the border. */
  const moved = (pixels, down, right) => {
    const from = (to, by, size) => Math.min(size - 1, Math.max(0, to - by));
    return Uint8Array.from(pixels, (_, i) => {
      const [y, x] = [Math.floor(i / channels / width), Math.floor(i / channels) % width];
      return pixels[(from(y, down, height) * width + from(x, right, width)) * channels + (i % channels)];
    });
  };

  /** The probabilities of the classes. Where the model asks for it, an image that the network is unsure of is seen again,
   *  moved by one pixel each way, and the probabilities are averaged. */
  const predict = (pixels) => {
    const first = plain(pixels);
    if (below === undefined || first.some((probability) => probability >= Math.fround(below))) return first;
    const shifts = [[1, 0], [-1, 0], [0, 1], [0, -1]];
    const all = [first, ...shifts.map(([down, right]) => plain(moved(pixels, down, right)))];
    return first.map((_, label) => all.reduce((sum, row) => sum + row[label], 0) / all.length);
  };
  return { logits, predict };
};
