"use strict";
// What the network says: the likeliest class, a bar for each class, and the pixels that it saw.
(() => {
  const { glyphnet } = globalThis;
  const element = (id) => document.getElementById(id);
  /** So many classes all have a bar, in their order; of more the likeliest have one, in theirs. */
  const ALL = 12;
  const LIKELIEST = 8;
  /** A name of more letters is shown in small print, and one of still more is shortened there. */
  const [LONG, LONGEST] = [8, 72];
  /** A screen reader is told of an answer that stays for so long, in milliseconds. */
  const STAYS = 600;

  /** A probability in per cent, never rounded to certainty. */
  glyphnet.percent = (probability) => {
    const percent = 100 * probability;
    if (percent >= 100) return "100 %";
    if (percent >= 99.95) return ">99.9 %";
    return percent > 0 && percent < 0.05 ? "<0.1 %" : `${percent.toFixed(1)} %`;
  };

  /** The classes by their probabilities, the likeliest first; of equals the first. */
  glyphnet.ranked = (probabilities) =>
    Array.from(probabilities.keys()).sort((a, b) => probabilities[b] - probabilities[a] || a - b);

  /** Puts an image of `[height, width, channels]` on a canvas, pixel by pixel. */
  glyphnet.paint = (canvas, pixels, [height, width, channels]) => {
    [canvas.width, canvas.height] = [width, height];
    const image = new ImageData(width, height);
    for (let i = 0; i < height * width; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[i * channels + (channels === 3 ? c : 0)];
      image.data[4 * i + 3] = 255;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  };

  const bars = (list, count) => Array.from({ length: count }, () => {
    const [row, name, track, fill, share] = ["li", "span", "span", "span", "span"].map((tag) => document.createElement(tag));
    [name.className, track.className, share.className] = ["name", "track", "share"];
    track.append(fill);
    row.append(name, track, share);
    list.append(row);
    return (text, probability, best) => {
      name.textContent = text;
      name.title = text;
      share.textContent = probability === null ? "" : glyphnet.percent(probability);
      fill.style.setProperty("--part", probability ?? 0);
      row.classList.toggle("likeliest", best);
    };
  });

  /** `show(pixels, probabilities)`; either is null where there is none yet. */
  glyphnet.answer = (names, shape) => {
    const few = names.length <= ALL;
    const main = bars(element("bars"), few ? names.length : LIKELIEST);
    const more = few ? [] : bars(element("all"), names.length);
    element("more").hidden = few;
    element("more").querySelector("summary").textContent = `All ${names.length} classes`;
    element("bars").classList.toggle("short", names.every((name) => name.length <= 3));
    element("all").classList.toggle("short", names.every((name) => name.length <= 3));
    [element("seen").width, element("seen").height] = [shape[1], shape[0]];
    let saying;

    const say = (text) => {
      clearTimeout(saying);
      saying = setTimeout(() => { element("said").textContent = text; }, STAYS);
    };

    const show = (pixels, probabilities) => {
      if (pixels) glyphnet.paint(element("seen"), pixels, shape);
      const order = probabilities ? glyphnet.ranked(probabilities) : [...names.keys()];
      const of = (label) => (probabilities ? probabilities[label] : null);
      const best = probabilities ? order[0] : -1;
      main.forEach((set, row) => {
        const label = few ? row : order[row];
        if (few || probabilities) set(names[label], of(label), label === best);
        else set("\u2013", null, false);
      });
      more.forEach((set, label) => set(names[label], of(label), label === best));
      const name = probabilities ? names[best] : "\u2013";
      element("best").textContent = name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}\u2026` : name;
      element("best").classList.toggle("long", name.length > LONG);
      element("sure").textContent = probabilities ? glyphnet.percent(probabilities[best]) : "\u00a0";
      const told = order.slice(0, 2).map((label) => `${names[label]}, ${glyphnet.percent(of(label))}`);
      say(probabilities ? told.join("; then ") : "");
    };
    return { show };
  };
})();
