"use strict";
// The page is whole without this: it adds looking closer.
(() => {
  const data = JSON.parse(document.getElementById("run").textContent);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  // One split at a time.
  const sections = all("section.split");
  const choosers = all(".splits button");
  const show = (name) => {
    for (const section of sections) section.hidden = section.id !== name;
    for (const button of choosers) button.setAttribute("aria-pressed", String(button.dataset.split === name));
  };
  for (const button of choosers) button.addEventListener("click", () => show(button.dataset.split));
  const follow = (hash) => {
    const section = sections.find((section) => `#${section.id}` === hash);
    if (section) show(section.id);
    return section;
  };
  if (sections.length > 1) show(sections[0].id);
  // What a link leads to is there before the browser goes to it.
  for (const link of all("nav.bar a")) link.addEventListener("click", () => follow(link.hash));
  addEventListener("hashchange", () => follow(location.hash));
  follow(location.hash)?.scrollIntoView();

  // Learning curves: all panels show the same epoch.
  const range = document.getElementById("epoch");
  if (data.curves && range) {
    const kept = Number(range.value);
    const showEpoch = (at) => {
      range.value = String(at);
      range.setAttribute("aria-valuetext", `epoch ${data.curves.epochs[at]}`);
      document.getElementById("epoch-number").textContent = data.curves.epochs[at];
      for (const panel of data.curves.panels) {
        const chart = document.getElementById(`chart-${panel.id}`);
        const svg = chart.querySelector("svg");
        const x = panel.x[at];
        chart.querySelector(".at").textContent = `epoch ${data.curves.epochs[at]}`;
        svg.querySelector(".cursor").setAttribute("d", `M${x} 8V202`);
        panel.curves.forEach((curve, which) => {
          chart.querySelectorAll(".is")[which].textContent = curve.text[at];
          const dot = svg.querySelectorAll(".dot")[which];
          dot.style.display = curve.y[at] === null ? "none" : "";
          dot.setAttribute("cx", x);
          dot.setAttribute("cy", curve.y[at] ?? 0);
        });
      }
      document.getElementById("curves").classList.toggle("moved", at !== kept);
    };
    range.addEventListener("input", () => showEpoch(Number(range.value)));
    for (const panel of data.curves.panels) {
      const svg = document.querySelector(`#chart-${panel.id} svg`);
      const point = (event) => {
        const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
        const distance = (at) => Math.abs(panel.x[at] - place.x);
        showEpoch(panel.x.reduce((best, _, at) => (distance(at) < distance(best) ? at : best), 0));
      };
      svg.addEventListener("pointermove", point);
      svg.addEventListener("pointerdown", point);
      svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") showEpoch(kept); });
    }
    showEpoch(kept);
  }

  // Images, one by one or those of a cell of the confusion matrix.
  const dialog = document.getElementById("images");
  const splitOf = (node) => node.closest("section.split").id;
  const dataOf = (name) => data.splits.find((split) => split.name === name);
  const className = (label) => data.classes[label] ?? String(label);
  const per = (at, of) => (100 * at) / (Math.max(of, 2) - 1);
  const thumb = (split, place, side) => {
    const made = element("span", "thumb");
    const [width, height] = split.size;
    const longer = Math.max(width, height);
    const scale = longer <= side ? Math.floor(side / longer) : side / longer;
    made.style.width = `${Math.round(width * scale)}px`;
    made.style.height = `${Math.round(height * scale)}px`;
    const [column, line] = [place % split.columns, Math.floor(place / split.columns)];
    made.style.backgroundPosition = `${per(column, split.columns)}% ${per(line, split.lines)}%`;
    return made;
  };
  const describe = (split, place, side) => {
    const [, index, label, own, top] = split.images[place];
    const figure = element("figure");
    figure.append(thumb(split, place, side));
    const caption = element("figcaption");
    caption.append(element("span", "quiet", `image ${index}, labelled ${className(label)}`));
    const list = element("ol", "best");
    const shown = top.some(([name]) => name === label) ? top : [...top, [label, own]];
    for (const [name, sure] of shown) {
      const line = element("li", name === label ? "own" : "");
      line.append(element("span", "name", className(name)), element("span", "sure", sure));
      list.append(line);
    }
    caption.append(list);
    figure.append(caption);
    return figure;
  };
  const open = (name, title, note, places, side) => {
    const split = dataOf(name);
    dialog.className = `of-${name}`;
    document.getElementById("images-title").textContent = title;
    document.getElementById("images-note").textContent = note;
    document.getElementById("images-list").replaceChildren(...places.map((place) => describe(split, place, side)));
    dialog.showModal();
    dialog.scrollTop = 0;
  };
  const taken = (label, as) =>
    label === as ? `${className(label)}, taken for what it is` : `${className(label)} taken for ${className(as)}`;
  const openCell = (name, label, as, count) => {
    const images = dataOf(name)?.images ?? [];
    const places = images.flatMap(([, , is, , [[best]]], place) => (is === label && best === as ? [place] : []));
    const stored = places.length === 0 ? "none of them is stored with the run"
      : String(places.length) === count ? "all of them" : `here ${places.length} of them`;
    open(name, taken(label, as), `${count} ${name} ${count === "1" ? "image" : "images"}; ${stored}`, places, 112);
  };
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  for (const button of all("button.image")) {
    const name = splitOf(button);
    const place = dataOf(name)?.images.findIndex(([row]) => row === Number(button.dataset.row)) ?? -1;
    if (place < 0) button.disabled = true;
    button.addEventListener("click", () => {
      const [, , label, , [[as]]] = dataOf(name).images[place];
      open(name, taken(label, as), `${name} images`, [place], 280);
    });
  }
  for (const button of all(".pairs button")) {
    const { label, as } = button.dataset;
    button.setAttribute("aria-label", `${button.textContent} images of ${className(label)} taken for ${className(as)}`);
    button.addEventListener("click", () => openCell(splitOf(button), Number(label), Number(as), button.textContent));
  }

  // The confusion matrix.
  for (const block of all(".matrix-block")) {
    const table = block.querySelector("table");
    const text = block.querySelector(".cell-text");
    const rest = dataOf(splitOf(block)) ? "Point at a cell to read it, press it to see its images." : "Point at a cell to read it.";
    text.textContent = rest;
    const columns = all("thead th", table);
    const labels = all("tbody tr", table).map((row) => Number(row.dataset.label));
    for (const button of all("button", table)) {
      const row = button.closest("tr");
      const [label, as] = [Number(row.dataset.label), Number(button.dataset.as)];
      const count = button.querySelector("b").textContent;
      const share = button.querySelector("i").textContent;
      const images = count === "1" ? "1 image" : `${count} images`;
      const says = `${images} labelled ${className(label)} (${share} % of them) taken for ${className(as)}`;
      button.setAttribute("aria-label", says);
      const heads = [row.querySelector("th"), columns[labels.indexOf(as)]];
      const mark = (on) => {
        for (const head of heads) head.classList.toggle("marked", on);
        text.textContent = on ? says : rest;
      };
      for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => mark(true));
      for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => mark(false));
      button.addEventListener("click", () => openCell(splitOf(block), label, as, count));
    }
    const switches = all("[data-show]", block);
    for (const button of switches) {
      button.addEventListener("click", () => {
        table.classList.toggle("shares", button.dataset.show === "shares");
        for (const other of switches) other.setAttribute("aria-pressed", String(other === button));
      });
    }
    // Arrow keys go from cell to cell, as in any table of buttons.
    table.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      const cell = event.target.closest("td");
      if (!step || !cell) return;
      event.preventDefault();
      const rows = all("tbody tr", table);
      let [line, column] = [rows.indexOf(cell.parentElement), cell.cellIndex];
      let next;
      do {
        [line, column] = [line + step[0], column + step[1]];
        next = rows[line]?.cells[column];
      } while (next && !next.querySelector("button"));
      next?.querySelector("button")?.focus();
    });
  }

  // Tables that sort.
  for (const table of all("table.sortable")) {
    const body = table.tBodies[0];
    const value = (row, column) => {
      const cell = row.cells[column];
      return Number((cell.dataset.value ?? cell.textContent).replace(/[^\d.]/g, ""));
    };
    all("thead th", table).forEach((head, column) => {
      const button = element("button", "sort", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows].sort((a, b) => (value(a, column) - value(b, column)) * (down ? -1 : 1));
        body.append(...rows);
      });
    });
  }
})();
