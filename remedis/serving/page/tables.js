// Tables of scores, of similar images and of facts about the model.

const at = (id) => document.getElementById(id);

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text != null) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Three digits after the point, and never 0 or 1 for a number that is neither. */
export function number(value) {
  if (value > 0 && value < 0.001) return "< 0.001";
  if (value < 1 && value > 0.999) return "> 0.999";
  return value.toFixed(3);
}

export const signedNumber = (value) => value.toPrecision(3).replace("-", "−");

/** A bar from 0 to 1 with a mark at the threshold; the numbers beside it say the same. */
function bar(value, cut) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  const part = (kind, x, width, y, height) => {
    const made = document.createElementNS(space, "rect");
    const all = { class: kind, x, y, width: Math.max(width, 0), height };
    for (const [key, of] of Object.entries(all)) made.setAttribute(key, of);
    drawing.append(made);
  };
  drawing.setAttribute("class", "bar");
  drawing.setAttribute("viewBox", "0 0 100 10");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  part("track", 0, 100, 3, 4);
  part("value", 0, 100 * value, 3, 4);
  if (cut != null) part("cut", Math.min(Math.max(100 * cut - 0.5, 0), 99), 1, 0, 10);
  return drawing;
}

// Names of the kinds of thresholds; what each means is the server's sentence.
const TITLES = { youden: "Youden's index", target_sensitivity: "Target sensitivity" };

/** Returns the kind of threshold that is chosen; undefined for a model without thresholds. */
export const chosenKind = () => document.querySelector("#kind-choices input:checked")?.value;

/** Choices of a threshold; `changed` is called after every choice. */
export function drawKinds(model, changed) {
  const meanings = Object.entries(model.thresholds?.meanings ?? {});
  const explain = () => {
    const meaning = model.thresholds?.meanings[chosenKind()];
    at("kind-meaning").textContent = meaning ? `This threshold ${meaning}.` : "";
  };
  const choices = meanings.map(([kind], i) => {
    const label = element("label");
    const radio = element("input", null, { type: "radio", name: "kind", value: kind });
    radio.checked = i === 0;
    radio.addEventListener("change", () => {
      explain();
      changed();
    });
    label.append(radio, TITLES[kind] ?? kind);
    return label;
  });
  at("kind-choices").replaceChildren(...choices);
  at("kinds").hidden = !choices.length;
  explain();
}

export function drawScores(scores, model) {
  const kind = chosenKind();
  const rows = scores.map((score) => {
    const cut = score.thresholds[kind] ?? { value: null, reached: null };
    const name = element("th", score.label, { scope: "row" });
    name.append(bar(score.probability, cut.value));
    const row = element("tr");
    // The server compares log odds: rounded, a probability and its threshold may look equal.
    row.classList.toggle("positive", cut.reached === true);
    const result =
      cut.value == null ? "none" : `${cut.reached ? "at or above" : "below"} ${number(cut.value)}`;
    row.append(
      name,
      element("td", number(score.probability), { class: "number" }),
      element("td", result),
    );
    return row;
  });
  document.querySelector("#scores tbody").replaceChildren(...rows);
  const notes = [model.calibration.statement, model.thresholds.statement];
  const counts = Object.entries(model.thresholds.labels)
    .filter(([, of]) => of.positives != null)
    .map(([label, of]) => `${label} ${of.positives} and ${of.negatives}`);
  if (counts.length) notes.push(`Positive and negative patients there: ${counts.join("; ")}.`);
  at("provenance").replaceChildren(...notes.map((note) => element("li", note)));
}

export function drawNeighbours(found) {
  const labels = found.labels.map((share) => share.label);
  at("near-note").textContent =
    `By cosine similarity, of ${found.images.toLocaleString("en")} images. ` +
    "Rows are those of the server's file of embeddings, from 0.";
  const shares = found.labels.map((of) => element("li",
    `${of.label}: positive in ${of.positive} of ${of.known} of these, and in ` +
    `${of.file_positive} of ${of.file_known} of the file`));
  at("near-shares").replaceChildren(...shares);
  const head = element("tr");
  for (const name of ["Row", "Similarity", ...labels]) {
    head.append(element("th", name, { scope: "col" }));
  }
  document.querySelector("#neighbours thead").replaceChildren(head);
  const rows = found.neighbours.map((near) => {
    const row = element("tr");
    const cells = [near.row, near.similarity.toFixed(3), ...labels.map((of) => near.labels[of])];
    row.append(...cells.map((cell) => element("td", cell)));
    return row;
  });
  document.querySelector("#neighbours tbody").replaceChildren(...rows);
}

/** The list at the foot of the page. */
export function drawFacts(model) {
  const facts = {
    Weights: model.weights,
    "SHA-256": model.weights_sha256,
    Preprocessing: model.preprocess ?? "not recorded",
    Engine: model.engine,
    Use: model.use,
  };
  const parts = Object.entries(facts).flatMap(([name, value]) => [
    element("dt", name),
    element("dd", value),
  ]);
  at("facts").replaceChildren(...parts);
}
