// Questions to the server, and its answers.

/** A fault with the one sentence of the server, or of this page. */
export class Fault extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

let token = "";

/** Keeps the token of the server until the page is closed. */
export function useToken(text) {
  token = text;
}

async function ask(path, file, fields = {}) {
  const options = { headers: token ? { Authorization: `Bearer ${token}` } : {} };
  if (file) {
    options.method = "POST";
    options.body = new FormData();
    // The bytes alone are sent: the name of a file may be that of a patient.
    options.body.append("image", file, "image");
    for (const [name, value] of Object.entries(fields)) options.body.append(name, value);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Fault("The server does not answer; look whether remedis serve still runs.");
  }
  let content;
  try {
    content = await answer.json();
  } catch {
    throw new Fault(`The answer of the server is no JSON (status ${answer.status}).`);
  }
  if (answer.ok) return content;
  const sentence = content.error ?? `The server refused with status ${answer.status}.`;
  throw new Fault(String(sentence), answer.status);
}

/** The model and the limits of the server. */
export const askModel = () => ask("model");

/** Scores of an image with the thresholds that they reach. */
export const askScores = (file) => ask("predict", file);

/** The heat map of a label, and the image as the server sees it. */
export const askHeatMap = (file, label) => ask("explain", file, { label });

/** The most similar images of the server's file of embeddings. */
export const askNeighbours = (file) => ask("neighbours", file);
