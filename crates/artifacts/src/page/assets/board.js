"use strict";
// The board: strokes by mouse, finger, pen or keyboard. A stroke is `{ points: [[x, y], ...], width }`, in hundredths of
// the board's width.
(() => {
  const { glyphnet } = globalThis;
  const element = (id) => document.getElementById(id);
  const UNITS = 100;
  /** Points closer than this to the one before add nothing. */
  const CLOSE = 0.15;
  /** A step of the pen that is moved by arrow keys, and a small one. */
  const [STEP, SMALL_STEP] = [3, 1];
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  /** Fits the canvas's pixels to those of the screen; returns its brush, scaled to units. */
  const brushOf = (canvas) => {
    const { clientWidth, clientHeight } = canvas;
    const scale = globalThis.devicePixelRatio || 1;
    const [width, height] = [Math.round(clientWidth * scale), Math.round(clientHeight * scale)];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const brush = canvas.getContext("2d");
    brush.setTransform(width / UNITS, 0, 0, width / UNITS, 0, 0);
    brush.clearRect(0, 0, UNITS, (UNITS * height) / Math.max(1, width));
    return brush;
  };

  /** The whole picture as large as fits, in the middle of the canvas. */
  glyphnet.fit = (canvas, picture) => {
    const brush = brushOf(canvas);
    const high = (UNITS * canvas.height) / canvas.width;
    const scale = Math.min(UNITS / picture.width, high / picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    brush.imageSmoothingEnabled = picture.width * 2 > canvas.width;
    brush.drawImage(picture, (UNITS - width) / 2, (high - height) / 2, width, height);
  };

  const trace = (brush, { points, width }) => {
    brush.lineWidth = width;
    brush.beginPath();
    brush.moveTo(...points[0]);
    for (let i = 1; i < points.length - 1; i++) {
      const [[x, y], [nextX, nextY]] = [points[i], points[i + 1]];
      brush.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    brush.lineTo(...points.at(-1));
    brush.stroke();
  };

  /** `changed(strokes)` is called whenever the drawing is another. */
  glyphnet.board = (changed) => {
    const [canvas, pen, undo, clear, hint] = ["board", "pen", "undo", "clear", "hint"].map(element);
    let strokes = [];
    /** What one stroke of undo brings back: the drawings before this one. */
    let past = [];
    /** The stroke under way, the pointer or key that draws it, and the place of the keyboard's pen. */
    let [current, pointer, cursor] = [null, null, null];
    /** A picture that is shown instead of a drawing. */
    let picture = null;

    const redraw = () => {
      if (picture) {
        glyphnet.fit(canvas, picture);
      } else {
        const brush = brushOf(canvas);
        const ink = getComputedStyle(canvas).color;
        [brush.strokeStyle, brush.lineCap, brush.lineJoin] = [ink, "round", "round"];
        for (const stroke of strokes) trace(brush, stroke);
        if (cursor) {
          [brush.strokeStyle, brush.lineWidth] = [getComputedStyle(canvas).outlineColor, 0.6];
          brush.beginPath();
          brush.arc(...cursor, Math.max(2, pen.valueAsNumber / 2 + 1), 0, 2 * Math.PI);
          brush.stroke();
        }
      }
      hint.hidden = picture !== null || strokes.length > 0 || cursor !== null;
      undo.disabled = past.length === 0;
      clear.disabled = picture === null && strokes.length === 0;
      const what = strokes.length === 1 ? "one stroke" : `${strokes.length || "no"} strokes`;
      canvas.setAttribute("aria-label", picture ? "The image that is shown" : `Board to draw on, ${what}`);
    };
    let due = false;
    const update = () => {
      changed(strokes);
      if (due) return;
      due = true;
      requestAnimationFrame(() => { due = false; redraw(); });
    };
    const become = (next) => {
      past.push(strokes);
      [strokes, picture] = [next, null];
      update();
    };

    const place = ({ clientX, clientY }) => {
      const box = canvas.getBoundingClientRect();
      return [clientX - box.left, clientY - box.top].map((length) => (length * UNITS) / box.width);
    };
    const begin = (point) => {
      current = { points: [point], width: pen.valueAsNumber };
      become([...strokes, current]);
    };
    const extend = (point) => {
      const last = current.points.at(-1);
      if (Math.hypot(point[0] - last[0], point[1] - last[1]) < CLOSE) return;
      current.points.push(point);
      update();
    };
    const end = () => { [current, pointer] = [null, null]; };

    canvas.addEventListener("pointerdown", (event) => {
      if (pointer !== null || event.button !== 0) return;
      event.preventDefault();
      canvas.focus({ preventScroll: true, focusVisible: false });
      cursor = null;
      pointer = event.pointerId;
      canvas.setPointerCapture(pointer);
      begin(place(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== pointer) return;
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) extend(place(each));
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(name, (event) => { if (event.pointerId === pointer) end(); });
    }

    const takeBack = () => {
      end();
      if (past.length === 0) return;
      [strokes, picture] = [past.pop(), null];
      update();
    };
    const empty = () => {
      end();
      if (picture || strokes.length) become([]);
    };
    undo.addEventListener("click", takeBack);
    clear.addEventListener("click", empty);

    const high = () => (UNITS * canvas.clientHeight) / canvas.clientWidth;
    canvas.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      if (arrow) {
        const step = event.shiftKey ? SMALL_STEP : STEP;
        cursor ??= [UNITS / 2, high() / 2];
        cursor = cursor.map((at, axis) => Math.min(axis ? high() : UNITS, Math.max(0, at + step * arrow[axis])));
        if (current) extend(cursor);
        else redraw();
      } else if (event.key === " ") {
        cursor ??= [UNITS / 2, high() / 2];
        if (current) end();
        else begin(cursor);
      } else if (event.key === "Delete" || event.key === "Backspace" || event.key === "Escape") {
        empty();
      } else {
        return;
      }
      event.preventDefault();
    });
    canvas.addEventListener("blur", () => {
      if (!cursor) return;
      cursor = null;
      end();
      redraw();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      takeBack();
    });
    new ResizeObserver(redraw).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    element("theme").addEventListener("click", redraw);

    /** Shows a picture in the place of a drawing, which undo brings back. */
    const show = (shown) => {
      end();
      if (strokes.length) past.push(strokes);
      [strokes, picture] = [[], shown];
      redraw();
    };
    return { show };
  };
})();
