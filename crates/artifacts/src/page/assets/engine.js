"use strict";
// The network: typed arrays in, typed arrays out, no page needed. Images are rows, columns, channels; sums are taken in
// double precision and stored in single.
(globalThis.glyphnet ??= {}).engine = (() => {
  // The complementary error function to 1.2e-7 of its value everywhere, which is what single precision can tell
  // (Press et al., Numerical Recipes, erfcc).
  const ERFC = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
    0.17087277,
  ];
  const erfc = (x) => {
    const size = Math.abs(x);
    const t = 1 / (1 + size / 2);
    const value = t * Math.exp(-size * size + ERFC.reduceRight((sum, factor) => sum * t + factor));
    return x < 0 ? 2 - value : value;
  };
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));

  const ACTIVATIONS = {
    linear: null,
    relu: (x) => (x < 0 ? 0 : x),
    leaky_relu: (x, { slope }) => (x < 0 ? slope * x : x),
    elu: (x) => (x < 0 ? Math.expm1(x) : x),
    gelu: (x) => 0.5 * x * erfc(-x * Math.SQRT1_2),
    silu: (x) => x * sigmoid(x),
    sigmoid,
    tanh: Math.tanh,
  };

  /** Turns each row of so many values into its softmax, in place. */
  const softmax = (values, row) => {
    for (let from = 0; from < values.length; from += row) {
      let largest = -Infinity;
      for (let i = from; i < from + row; i++) largest = Math.max(largest, values[i]);
      const powers = Float64Array.from(values.subarray(from, from + row), (value) => Math.exp(value - largest));
      const sum = powers.reduce((total, power) => total + power, 0);
      for (let i = 0; i < row; i++) values[from + i] = powers[i] / sum;
    }
    return values;
  };

  const activate = (layer, y) => {
    if (layer.activation === "softmax") return softmax(y, layer.output.at(-1));
    const value = ACTIVATIONS[layer.activation];
    if (value) for (let i = 0; i < y.length; i++) y[i] = value(y[i], layer);
    return y;
  };

  const size = (shape) => shape.reduce((product, side) => product * side, 1);

  /** The image in a frame of zeros. */
  const framed = (x, [height, width, channels], [top, bottom, left, right]) => {
    if (top + bottom + left + right === 0) return x;
    const row = (left + width + right) * channels;
    const frame = new Float32Array((top + height + bottom) * row);
    for (let y = 0; y < height; y++) {
      frame.set(x.subarray(y * width * channels, (y + 1) * width * channels), (top + y) * row + left * channels);
    }
    return frame;
  };

  /** The kernel in blocks of four filters, zeros after the last: block, position in the window, filter. */
  const blocked = (kernel, span, filters) => {
    const blocks = Math.ceil(filters / 4);
    const packed = new Float32Array(blocks * span * 4);
    for (let k = 0; k < span; k++) {
      for (let f = 0; f < filters; f++) packed[((f >> 2) * span + k) * 4 + (f & 3)] = kernel[k * filters + f];
    }
    return packed;
  };

  /** Two pixels and four filters at a time, so that eight sums stay in registers. */
  const conv2d = (layer, tensor) => {
    const [height, width, filters] = layer.output;
    const [channels, [rows, columns]] = [layer.input[2], layer.window];
    const [down, right] = layer.stride;
    const span = columns * channels;
    const line = (layer.input[1] + layer.pad[2] + layer.pad[3]) * channels;
    const packed = blocked(tensor("kernel"), rows * span, filters);
    const bias = new Float32Array(Math.ceil(filters / 4) * 4);
    if (layer.tensors.bias) bias.set(tensor("bias"));
    return (input) => {
      const x = framed(input, layer.input, layer.pad);
      const out = new Float32Array(height * width * filters);
      for (let oy = 0; oy < height; oy++) {
        for (let f = 0; f < filters; f += 4) {
          const b0 = bias[f], b1 = bias[f + 1], b2 = bias[f + 2], b3 = bias[f + 3];
          const many = Math.min(4, filters - f);
          for (let ox = 0; ox < width; ox += 2) {
            const pair = ox + 1 < width;
            const first = oy * down * line + ox * right * channels;
            const other = pair ? right * channels : 0;
            let p0 = b0, p1 = b1, p2 = b2, p3 = b3, q0 = b0, q1 = b1, q2 = b2, q3 = b3;
            let w = f * rows * span;
            for (let ky = 0; ky < rows; ky++) {
              const from = first + ky * line;
              for (let i = from; i < from + span; i++) {
                const p = x[i], q = x[i + other];
                const w0 = packed[w], w1 = packed[w + 1], w2 = packed[w + 2], w3 = packed[w + 3];
                p0 += p * w0; p1 += p * w1; p2 += p * w2; p3 += p * w3;
                q0 += q * w0; q1 += q * w1; q2 += q * w2; q3 += q * w3;
                w += 4;
              }
            }
            const at = (oy * width + ox) * filters + f;
            out[at] = p0;
            if (many > 1) out[at + 1] = p1;
            if (many > 2) out[at + 2] = p2;
            if (many > 3) out[at + 3] = p3;
            if (!pair) continue;
            out[at + filters] = q0;
            if (many > 1) out[at + filters + 1] = q1;
            if (many > 2) out[at + filters + 2] = q2;
            if (many > 3) out[at + filters + 3] = q3;
          }
        }
      }
      return activate(layer, out);
    };
  };

  const dense = (layer, tensor) => {
    const kernel = tensor("kernel");
    const units = layer.output[0];
    const bias = layer.tensors.bias ? tensor("bias") : new Float32Array(units);
    return (x) => {
      const sums = Float64Array.from(bias);
      for (let i = 0; i < x.length; i++) {
        const value = x[i];
        if (value === 0) continue;
        for (let j = 0, w = i * units; j < units; j++, w++) sums[j] += value * kernel[w];
      }
      return activate(layer, Float32Array.from(sums));
    };
  };

  /** `start` is what each window starts from, `take` adds a value, `finish` is told how many there were. */
  const pool = (layer, start, take, finish) => {
    const [height, width, channels] = layer.input;
    const [outHeight, outWidth] = layer.output;
    const [[rows, columns], [down, right], [top, , left]] = [layer.window, layer.stride, layer.pad];
    return (x) => {
      const out = new Float32Array(outHeight * outWidth * channels);
      for (let oy = 0; oy < outHeight; oy++) {
        const [y0, y1] = [Math.max(0, oy * down - top), Math.min(height, oy * down - top + rows)];
        for (let ox = 0; ox < outWidth; ox++) {
          const [x0, x1] = [Math.max(0, ox * right - left), Math.min(width, ox * right - left + columns)];
          for (let c = 0; c < channels; c++) {
            let value = start;
            for (let y = y0; y < y1; y++) {
              for (let column = x0; column < x1; column++) value = take(value, x[(y * width + column) * channels + c]);
            }
            out[(oy * outWidth + ox) * channels + c] = finish(value, (y1 - y0) * (x1 - x0));
          }
        }
      }
      return out;
    };
  };

  const KINDS = {
    conv2d,
    dense,
    max_pool2d: (layer) => pool(layer, -Infinity, (a, b) => (b > a ? b : a), (value) => value),
    avg_pool2d: (layer) => pool(layer, 0, (a, b) => a + b, (sum, count) => sum / count),
    global_avg_pool2d: (layer) => (x) => {
      const channels = layer.input[2];
      const sums = new Float64Array(channels);
      for (let i = 0; i < x.length; i++) sums[i % channels] += x[i];
      return Float32Array.from(sums, (sum) => (sum * channels) / x.length);
    },
    batch_norm: (layer, tensor) => {
      const [gamma, beta, mean, variance] = ["gamma", "beta", "moving_mean", "moving_variance"].map(tensor);
      const exact = Float64Array.from(gamma, (value, c) => value / Math.sqrt(variance[c] + layer.epsilon));
      const [scale, shift] = [Float32Array.from(exact), Float32Array.from(beta, (value, c) => value - mean[c] * exact[c])];
      return (x) => x.map((value, i) => value * scale[i % scale.length] + shift[i % scale.length]);
    },
    dropout: () => (x) => x,
    flatten: () => (x) => x,
    activation: (layer) => (x) => activate(layer, x.slice()),
  };

  /** A function from the values of one image to its logits; each layer knows where in `weights` its tensors are. */
  const network = (layers, weights) => {
    const steps = layers.map((layer) => {
      const tensor = (name) => weights.subarray(...layer.tensors[name]);
      return KINDS[layer.kind](layer, tensor);
    });
    return (input) => {
      if (input.length !== size(layers[0].input)) throw new Error(`an image of ${layers[0].input} values is needed`);
      return steps.reduce((x, step) => step(x), input);
    };
  };

  return { network, softmax };
})();
