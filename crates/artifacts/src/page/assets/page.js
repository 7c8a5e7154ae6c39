"use strict";
// The page at work: what is drawn or shown goes to the network, what the network says to the reader.
(() => {
  const { glyphnet } = globalThis;
  const element = (id) => document.getElementById(id);
  const model = JSON.parse(element("model").textContent);
  model.classes = model.classes.map((name, label) => name.trim() || `class ${label}`);
  const frame = () => new Promise((done) => requestAnimationFrame(done));

  const weights = () => {
    const text = atob(element("weights").textContent);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new Float32Array(bytes.buffer);
  };
  let predictor = null;
  const here = (pixels) => (predictor ??= glyphnet.predictor(model, weights())).predict(pixels);

  // A worker keeps the page smooth while the network computes. Where there is none, the page computes itself.
  const WORK = `
    let predictor;
    onmessage = ({ data }) => {
      if (data.model) predictor = glyphnet.predictor(data.model, data.weights);
      else postMessage({ id: data.id, probabilities: predictor.predict(data.pixels) });
    };`;
  const beside = () => {
    const waiting = new Map();
    let worker = null;
    const giveUp = () => {
      worker?.terminate();
      worker = null;
      for (const { pixels, done } of waiting.values()) done(here(pixels));
      waiting.clear();
    };
    try {
      const pure = ["engine", "preprocess", "predictor"].map((id) => element(id).textContent);
      const address = URL.createObjectURL(new Blob([...pure, WORK], { type: "text/javascript" }));
      worker = new Worker(address);
      worker.onmessage = ({ data: { id, probabilities } }) => {
        waiting.get(id).done(probabilities);
        waiting.delete(id);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        giveUp();
      };
      worker.postMessage({ model, weights: weights() });
    } catch {
      giveUp();
    }
    let asked = 0;
    return (pixels) => new Promise((done) => {
      if (!worker) return done(here(pixels));
      asked++;
      waiting.set(asked, { pixels, done });
      worker.postMessage({ id: asked, pixels });
    });
  };
  const predict = beside();

  const answer = glyphnet.answer(model.classes, model.input);
  const show = (pixels, said) => {
    Object.assign(glyphnet, { lastPixels: pixels, lastProbabilities: said });
    answer.show(pixels, said);
  };

  // What is drawn (null: an image is shown) is looked at once a frame at most, and not before the network has said what was drawn before.
  let [strokes, looking, again] = [[], false, false];
  const look = async () => {
    again = true;
    if (looking) return;
    looking = true;
    while (again) {
      await frame();
      again = false;
      if (!strokes) continue;
      const pixels = glyphnet.draw.render(strokes, model.input, model.preprocess.drawn);
      const said = strokes.length ? await predict(pixels) : null;
      // An image may have been shown meanwhile.
      if (strokes) show(pixels, said);
    }
    looking = false;
  };

  const { drawn } = model.preprocess;
  const canvas = element("picture");
  let board = null;
  let shown = null;
  const images = glyphnet.images(model, predict, (pixels, said, picture) => {
    if (board) {
      board.show(picture);
    } else {
      shown = picture;
      [canvas.hidden, element("hint").hidden] = [false, true];
      canvas.setAttribute("aria-label", "The image that is shown");
      glyphnet.fit(canvas, picture);
    }
    strokes = null;
    show(pixels, said);
  });
  if (drawn) {
    board = glyphnet.board((drawing) => {
      strokes = drawing;
      images.leave();
      look();
    });
    look();
  } else {
    new ResizeObserver(() => { if (shown) glyphnet.fit(canvas, shown); }).observe(canvas);
    answer.show(null, null);
  }

  // For who wants to ask from the outside: `predict` takes the pixels of one image, 0 to 255.
  Object.assign(glyphnet, {
    model,
    predict: here,
    settled: async () => {
      await frame();
      while (looking || images.busy()) await frame();
    },
    lastPixels: null,
    lastProbabilities: null,
  });
})();
