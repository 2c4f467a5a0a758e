// The page of `remedis serve`: an image goes in; scores, a heat map and similar images come out.

import { askHeatMap, askModel, askNeighbours, askScores, Fault, useToken } from "./requests.js";
import {
  chosenKind, drawFacts, drawKinds, drawNeighbours, drawScores, signedNumber,
} from "./tables.js";

const at = (id) => document.getElementById(id);

let server = null; // its model and its limits
let file = null; // that is shown
let scores = []; // of that file
let turn = 0; // grows with every image: answers for an earlier one are dropped

const counted = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
const megabytes = (bytes) =>
  `${(bytes / 1e6).toLocaleString("en", { maximumSignificantDigits: 3 })} MB`;

function say(sentence) {
  at("fault").textContent = "";
  at("status").textContent = sentence;
}

function complain(error) {
  at("status").textContent = "";
  at("fault").textContent = error instanceof Fault ? error.message : `This page failed: ${error}`;
  if (error.status === 401) {
    at("access").hidden = false;
    at("token").focus();
  }
}

function forget() {
  URL.revokeObjectURL(at("image").src);
  for (const id of ["view", "heat-controls", "answer", "near", "heat"]) at(id).hidden = true;
  for (const id of ["image", "heat"]) at(id).removeAttribute("src");
  at("caption").textContent = "";
}

/** Shows an image, unless the browser has no reader for it: then the server's picture may come. */
function show(address, size) {
  const image = at("image");
  image.onload = () => {
    at("view").hidden = false;
    const [height, width] = size ?? [image.naturalHeight, image.naturalWidth];
    at("stage").classList.toggle("grown", image.naturalWidth < 320);
    at("caption").textContent = `${width} x ${height} pixels`;
  };
  image.onerror = () => {
    at("view").hidden = true;
  };
  image.src = address;
}

async function open(chosen) {
  const mine = ++turn;
  forget();
  [file, scores] = [chosen, []];
  if (file.size > server.max_bytes) {
    complain(new Fault(
      `The file has ${megabytes(file.size)}; expected at most ${megabytes(server.max_bytes)}: ` +
        "choose a smaller image.",
    ));
    return;
  }
  show(URL.createObjectURL(file));
  say("Scoring the image …");
  try {
    if (server.model.labels) {
      const found = await askScores(file);
      if (mine !== turn) return;
      scores = found.scores;
      showScores();
      say(summary());
    }
    if (server.explains) await explain();
    if (server.neighbours && mine === turn) await showNeighbours(mine);
    if (mine === turn) say(summary());
  } catch (error) {
    if (mine === turn) complain(error);
  }
}

function showScores() {
  drawScores(scores, server.model);
  at("answer").hidden = false;
  at("shown").replaceChildren(...scores.map((score) => new Option(score.label, score.label)));
  at("shown").value = scores.reduce((a, b) => (b.probability > a.probability ? b : a)).label;
}

function summary() {
  if (!scores.length) return "Done. The model has no labels, and gives no scores.";
  const reached = scores.map((score) => score.thresholds[chosenKind()]?.reached);
  const above = reached.filter((is) => is === true).length;
  const known = reached.filter((is) => is != null).length;
  if (!known) return `Done: scores of ${counted(scores.length, "label")}.`;
  return `Done: ${above} of ${counted(known, "label")} at or above the threshold.`;
}

async function explain() {
  const [mine, label] = [turn, at("shown").value];
  const found = await askHeatMap(file, label);
  if (mine !== turn || label !== at("shown").value) return;
  URL.revokeObjectURL(at("image").src);
  show(`data:image/png;base64,${found.picture}`, [found.image.height, found.image.width]);
  at("heat").src = `data:image/png;base64,${found.overlay}`;
  at("heat").alt = `Heat map of ${label}`;
  at("heat").hidden = false;
  at("heat-controls").hidden = false;
  at("heat-range").textContent =
    `Colours go from ${signedNumber(found.low)} to ${signedNumber(found.high)}, in units of the logit.`;
  strengthen();
}

function strengthen() {
  const share = Number(at("strength").value);
  at("heat").style.opacity = share / 100;
  at("strength-value").textContent = `${share} %`;
  at("strength").setAttribute("aria-valuetext", share ? `${share} percent` : "image alone");
}

async function showNeighbours(mine) {
  const found = await askNeighbours(file);
  if (mine !== turn) return;
  drawNeighbours(found);
  at("near").hidden = false;
}

async function start() {
  at("file").disabled = true;
  try {
    server = await askModel();
  } catch (error) {
    complain(error);
    return;
  }
  at("file").disabled = false;
  at("access").hidden = true;
  say("");
  document.title = `${server.model.model} - remedis`;
  at("model").textContent = server.model.model;
  at("random").hidden = !server.model.random_weights;
  at("largest").textContent = `, at most ${megabytes(server.max_bytes)}`;
  drawFacts(server.model);
  drawKinds(server.model, () => {
    drawScores(scores, server.model);
    say(summary());
  });
}

at("file").addEventListener("change", () => {
  if (at("file").files.length) open(at("file").files[0]);
  at("file").value = ""; // the same file may be chosen again
});
at("strength").addEventListener("input", strengthen);
at("shown").addEventListener("change", async () => {
  say(`Drawing the heat map of ${at("shown").value} …`);
  try {
    await explain();
    say(`The heat map is of ${at("shown").value}.`);
  } catch (error) {
    complain(error);
  }
});
at("access").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(at("token").value);
  start();
});

// A file that misses the field must not replace the page.
for (const kind of ["dragover", "drop"]) {
  window.addEventListener(kind, (event) => event.preventDefault());
}
window.addEventListener("dragover", () => at("drop").classList.add("over"));
for (const kind of ["dragleave", "drop"]) {
  window.addEventListener(kind, () => at("drop").classList.remove("over"));
}
window.addEventListener("drop", (event) => {
  const [dropped] = event.dataTransfer.files;
  if (dropped && server) open(dropped);
});

start();
