"use strict";
// Images that are dropped, pasted or chosen: read, brought into the form that the network takes, and shown as cards.
(() => {
  const { glyphnet } = globalThis;
  const element = (id) => document.getElementById(id);
  // As the program has it.
  const [MOST_SIDE, MOST_PIXELS] = [8192, 50_331_648];
  /** The longer side of what is kept of an image to show it again. */
  const SHOWN = 800;

  const decode = async (file) => {
    const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    const { width, height } = bitmap;
    if (Math.max(width, height) > MOST_SIDE || width * height > MOST_PIXELS) {
      throw new RangeError(`its ${width} \u00d7 ${height} pixels are too many`);
    }
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const brush = canvas.getContext("2d", { willReadFrequently: true });
    brush.drawImage(bitmap, 0, 0);
    const { data } = brush.getImageData(0, 0, width, height);
    const scale = Math.min(1, SHOWN / Math.max(width, height));
    const picture = Object.assign(document.createElement("canvas"), {
      width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)),
    });
    picture.getContext("2d").drawImage(bitmap, 0, 0, picture.width, picture.height);
    bitmap.close();
    return { image: glyphnet.preprocess.flatten(data, height, width), picture };
  };

  const cardOf = (name, pixels, probabilities, model) => {
    const [item, card, canvas, title, best, sure] = ["li", "button", "canvas", "span", "span", "span"].map((tag) => document.createElement(tag));
    card.type = "button";
    card.className = "card";
    glyphnet.paint(canvas, pixels, model.input);
    const label = glyphnet.ranked(probabilities)[0];
    [title.className, best.className, sure.className] = ["file quiet", "class", "quiet"];
    [title.textContent, best.textContent, sure.textContent] = [name, model.classes[label], glyphnet.percent(probabilities[label])];
    title.title = name;
    best.title = model.classes[label];
    card.append(canvas, best, title, sure);
    item.append(card);
    return item;
  };

  /** `predict(pixels)` promises probabilities; `show(pixels, probabilities, picture)` is called for the image that is
   *  looked at. Returns `busy()`, whether images are being read, and `leave()`, for when none is looked at any more. */
  glyphnet.images = (model, predict, show) => {
    const { input, preprocess } = model;
    let reading = 0;

    const leave = () => {
      for (const card of element("cards").querySelectorAll("[aria-pressed=true]")) card.setAttribute("aria-pressed", "false");
    };
    const read = async (file) => {
      const { image, picture } = await decode(file);
      const pixels = glyphnet.preprocess.toInput(image, input, preprocess.resize);
      glyphnet.preprocess.swapIfOpposite(pixels, input, preprocess.polarity);
      const probabilities = await predict(pixels);
      const item = cardOf(file.name || "pasted image", pixels, probabilities, model);
      const look = () => {
        leave();
        item.firstChild.setAttribute("aria-pressed", "true");
        show(pixels, probabilities, picture);
      };
      item.firstChild.addEventListener("click", look);
      element("cards").prepend(item);
      element("images").hidden = false;
      look();
    };
    const take = async (files) => {
      reading++;
      element("trouble").textContent = "";
      // The first of several is looked at in the end.
      for (const file of [...files].reverse()) {
        try {
          await read(file);
        } catch (error) {
          const reason = error instanceof RangeError ? error.message : "it is no image that this browser reads";
          element("trouble").textContent = `${file.name || "The pasted file"} cannot be shown: ${reason}.`;
        }
      }
      reading--;
    };

    element("choose").addEventListener("click", () => element("files").click());
    element("files").addEventListener("change", ({ target }) => {
      take(target.files);
      target.value = "";
    });
    const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    const mark = (on) => document.body.classList.toggle("dropping", on);
    document.addEventListener("dragover", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      mark(true);
    });
    document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(false); });
    document.addEventListener("drop", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      mark(false);
      take(event.dataTransfer.files);
    });
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length) take(files);
    });
    return { busy: () => reading > 0, leave };
  };
})();
