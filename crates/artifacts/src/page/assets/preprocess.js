"use strict";
// What is done to an image before the network sees it, as the program does it: laid on paper, made grey, resized, dark
// and light swapped, normalised. Typed arrays in, typed arrays out; images are rows, columns, channels.
(globalThis.glyphnet ??= {}).preprocess = (() => {
  /** Visible pixels at least this light would vanish on white. */
  const VANISHES_ON_WHITE = 224;
  /** The ink on one side of the background must outweigh the other side by this factor. */
  const DOMINANCE = 2;

  // The weights of ITU-R 601 in fixed point.
  const grey = (r, g, b) => (r * 19595 + g * 38470 + b * 7471 + 0x8000) >>> 16;

  /** A canvas's red, green, blue and opacity as an image of one channel where all is grey, else three. Transparency is
   *  laid on white, or on black where what is visible would vanish on white. */
  const flatten = (rgba, height, width) => {
    const count = height * width;
    let [light, visible] = [0, 0];
    for (let i = 0; i < 4 * count; i += 4) {
      light += rgba[i + 3] * grey(rgba[i], rgba[i + 1], rgba[i + 2]);
      visible += rgba[i + 3];
    }
    const vanishes = visible < 255 * count && visible > 0 && light >= VANISHES_ON_WHITE * visible;
    const ground = vanishes ? 0 : 255;
    const pixels = new Uint8Array(3 * count);
    let isGrey = true;
    for (let i = 0; i < count; i++) {
      const alpha = rgba[4 * i + 3];
      for (let c = 0; c < 3; c++) {
        pixels[3 * i + c] = Math.floor((rgba[4 * i + c] * alpha + ground * (255 - alpha) + 127) / 255);
      }
      isGrey &&= pixels[3 * i] === pixels[3 * i + 1] && pixels[3 * i] === pixels[3 * i + 2];
    }
    const image = { height, width, channels: 3, pixels };
    return isGrey ? { ...image, channels: 1, pixels: pixels.filter((_, i) => i % 3 === 0) } : image;
  };

  const sinc = (x) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));
  /** Half the width of each filter, and its weight at a distance. */
  const FILTERS = {
    nearest: [0, () => 1],
    triangle: [1, (x) => Math.max(0, 1 - Math.abs(x))],
    catmull_rom: [2, (x) => {
      const a = Math.abs(x);
      if (a < 1) return (1.5 * a - 2.5) * a * a + 1;
      return a < 2 ? ((-0.5 * a + 2.5) * a - 4) * a + 2 : 0;
    }],
    lanczos3: [3, (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0)],
  };

  /** For each of `to` places the first of `from` places that it is made of, and their weights. The places are rounded
   *  to single precision as in the program, so that nearest finds the same. */
  const taps = (from, to, filter) => {
    const [support, weight] = FILTERS[filter];
    const ratio = Math.fround(from / to);
    const stretch = Math.max(1, ratio);
    return Array.from({ length: to }, (_, out) => {
      const centre = Math.fround((out + 0.5) * ratio);
      const reach = Math.fround(support * stretch);
      const first = Math.min(from - 1, Math.max(0, Math.floor(Math.fround(centre - reach))));
      const end = Math.min(from, Math.max(first + 1, Math.ceil(Math.fround(centre + reach))));
      const weights = Float64Array.from({ length: end - first }, (_, i) => weight((first + i - (centre - 0.5)) / stretch));
      const sum = weights.reduce((total, value) => total + value, 0);
      return { first, weights: weights.map((value) => value / sum) };
    });
  };

  /** The image stretched to another height and width: along columns, then along rows. */
  const resize = ({ height, width, channels, pixels }, toHeight, toWidth, filter) => {
    if (height === toHeight && width === toWidth) return pixels;
    const row = width * channels;
    const flat = new Float32Array(toHeight * row);
    taps(height, toHeight, filter).forEach(({ first, weights }, y) => {
      for (let i = 0; i < row; i++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * pixels[(first + k) * row + i];
        flat[y * row + i] = sum;
      }
    });
    const out = new Uint8Array(toHeight * toWidth * channels);
    taps(width, toWidth, filter).forEach(({ first, weights }, x) => {
      for (let y = 0; y < toHeight; y++) {
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          for (let k = 0; k < weights.length; k++) sum += weights[k] * flat[y * row + (first + k) * channels + c];
          out[(y * toWidth + x) * channels + c] = Math.min(255, Math.max(0, Math.floor(sum + 0.5)));
        }
      }
    });
    return out;
  };

  /** The image as a network of input `[height, width, channels]` wants it. */
  const toInput = (image, [height, width, channels], filter) => {
    const { pixels } = image;
    const turned = image.channels === 3 && channels === 1
      ? { ...image, channels: 1, pixels: Uint8Array.from({ length: pixels.length / 3 }, (_, i) => grey(pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2])) }
      : image;
    const resized = resize(turned, height, width, filter);
    if (turned.channels === channels) return Uint8Array.from(resized);
    return Uint8Array.from({ length: resized.length * channels }, (_, i) => resized[Math.floor(i / channels)]);
  };

  /** The upper median over the outermost rows and columns of `values`, which holds one for each pixel. */
  const borderMedian = (values, height, width) => {
    const isBorder = (_, i) => {
      const [y, x] = [Math.floor(i / width), i % width];
      return y === 0 || x === 0 || y === height - 1 || x === width - 1;
    };
    const border = values.filter(isBorder).sort((a, b) => a - b);
    return border[border.length >> 1];
  };

  /** "light_on_dark", "dark_on_light" or "mixed". */
  const polarityOf = (pixels, [height, width, channels]) => {
    const brightness = Float64Array.from({ length: height * width }, (_, i) => {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += pixels[i * channels + c];
      return sum;
    });
    const background = borderMedian(brightness, height, width);
    let [lighter, darker] = [0, 0];
    for (const value of brightness) {
      if (value > background) lighter += (value - background) ** 2;
      else darker += (value - background) ** 2;
    }
    if (lighter > DOMINANCE * darker) return "light_on_dark";
    return darker > DOMINANCE * lighter ? "dark_on_light" : "mixed";
  };

  /** Swaps dark and light in place for a network that has learned from images of this polarity. */
  const swap = (pixels, [height, width, channels], polarity) => {
    for (let i = 0; i < pixels.length; i++) pixels[i] = 255 - pixels[i];
    if (polarity === "mixed") return;
    const light = polarity === "light_on_dark";
    const grounds = Array.from({ length: channels }, (_, c) => borderMedian(pixels.filter((_, i) => i % channels === c), height, width));
    const ink = (i) => Math.max(0, light ? pixels[i] - grounds[i % channels] : grounds[i % channels] - pixels[i]);
    const inks = Array.from(pixels, (_, i) => ink(i));
    const strongest = inks.reduce((most, value) => Math.max(most, value), 1);
    inks.forEach((value, i) => {
      const stretched = Math.floor((value * 255 + (strongest >> 1)) / strongest);
      pixels[i] = light ? stretched : 255 - stretched;
    });
  };

  /** Swaps dark and light where the image shows the opposite of what was learned; says whether it did. In colour the
   *  complement would be another colour, so nothing is done. */
  const swapIfOpposite = (pixels, shape, learned) => {
    const opposite = { light_on_dark: "dark_on_light", dark_on_light: "light_on_dark" }[learned];
    if (shape[2] !== 1 || !opposite || polarityOf(pixels, shape) !== opposite) return false;
    swap(pixels, shape, learned);
    return true;
  };

  /** Pixels of 0 to 255 as the numbers that the network sees, to the bit those of the program. */
  const normalise = (pixels, channels, { scale, mean, std }) => {
    const entry = (values, i) => Math.fround(values.length === 1 ? values[0] : values[i % channels]);
    const factor = Math.fround(scale);
    return Float32Array.from(pixels, (value, i) =>
      Math.fround(Math.fround(Math.fround(value * factor) - entry(mean, i)) / entry(std, i)));
  };

  return { flatten, toInput, swapIfOpposite, normalise };
})();
