// The scripts of a page without the page: what needs no document runs in Node.js as it stands in the file.

import { readFileSync } from "node:fs";
import vm from "node:vm";

/** The content of the first element of the page that begins so. */
const content = (html, beginning) => {
  const from = html.indexOf(beginning) + beginning.length;
  return html.slice(from, html.indexOf("</script>", from));
};

/** The page's model with its `logits(pixels)` and `predict(pixels)`; and `glyphnet`, what its pure scripts define. */
export const load = (path) => {
  const html = readFileSync(path, "utf8");
  const glyphnet = {};
  const context = vm.createContext({ glyphnet });
  const pure = ["engine", "preprocess", "predictor", "draw"].map((name) => `glyphnet ??= {}).${name} =`);
  const scripts = html.split("<script").map((script) => script.slice(script.indexOf(">") + 1).split("</script>")[0]);
  for (const mark of pure) vm.runInContext(scripts.find((script) => script.includes(mark)), context);
  const model = JSON.parse(content(html, '<script type="application/json" id="model">'));
  const bytes = Buffer.from(content(html, '<script type="application/octet-stream" id="weights">'), "base64");
  const predictor = glyphnet.predictor(model, new Float32Array(new Uint8Array(bytes).buffer));
  return { model, glyphnet, ...predictor };
};
