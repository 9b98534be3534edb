"use strict";

const find = (id) => document.getElementById(id);
const KEY = "psnet-token";
/** Columns of a match that are shown elsewhere, or tell people nothing. */
const HIDDEN = ["path", "sha256", "width", "height"];

let known = null;      // what /health says
let chosen = [];       // files to search for
let asking = null;     // stops the search that runs
let addresses = [];    // of pictures that were fetched, to be given back

/** An element with properties and children; text is always text, never HTML. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function headers() {
  const token = sessionStorage.getItem(KEY);
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

/** An answer of the service, or an Error with its words. */
async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: headers() });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The service cannot be reached. Is it running?");
  }
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  const problem = new Error(said.error ?? `The service answers ${answer.status}.`);
  problem.status = answer.status;
  throw problem;
}

// What the service is

async function begin() {
  try {
    known = await (await ask("health")).json();
  } catch (problem) {
    find("about").textContent = problem.message;
    return;
  }
  const stranger = known.version === null;
  find("token-form").hidden = !stranger;
  find("ask").hidden = stranger;
  if (stranger) {
    find("about").textContent = "";
    find("token-problem").hidden = sessionStorage.getItem(KEY) === null;
    find("token-problem").textContent = "This is not the token of the service.";
    sessionStorage.removeItem(KEY);
    find("token").focus();
    return;
  }
  describe();
}

function describe() {
  const { images, gallery, limits, columns, cameras, threshold, model, version } = known;
  find("about").textContent = `${images.toLocaleString("en")} images in the gallery “${gallery}”`;
  find("model").textContent = `psnet ${version}. ${model}`;
  find("footer").hidden = false;
  const megabytes = Math.floor(limits.bytes / 2 ** 20);
  find("limits").textContent = `Up to ${limits.images} at once, ${megabytes} MB together`;
  find("k").replaceChildren(...[5, 10, 20, 50, 100].filter((k) => k <= limits.results)
    .map((k) => make("option", { value: k, textContent: k, selected: k === 10 })));
  if (find("k").options.length === 0) find("k").append(make("option", { value: limits.results, textContent: limits.results }));
  find("camera-label").hidden = cameras.length === 0;
  find("camera").replaceChildren(
    make("option", { value: "", textContent: "all" }),
    ...cameras.map((camera) => make("option", { value: `camid=${camera}`, textContent: `only ${camera}` })),
    ...cameras.map((camera) => make("option", { value: `camid!=${camera}`, textContent: `all but ${camera}` })),
  );
  const asked = Object.keys(columns).filter((name) => name !== "sha256");
  find("columns").textContent = `Columns: ${asked.join(", ")}. For example: height>=40`;
  find("rates").hidden = false;
  find("rates").textContent = threshold === null
    ? "No threshold has been calibrated for this model, so a score is neither a yes nor a no."
    : `A score of ${threshold.value.toFixed(4)} or more is taken for the same person. When that was measured, ` +
      `${share(threshold.far, 3)} of ${threshold.false_pairs.toLocaleString("en")} pairs of different people were wrongly accepted, and ` +
      `${share(threshold.tar, 1)} of ${threshold.true_pairs.toLocaleString("en")} pairs of one person rightly. Other people and cameras may differ.`;
}

function share(value, digits) {
  return value === null ? "an unknown share" : `${(100 * value).toFixed(digits)}%`;
}

find("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, find("token").value.trim());
  find("token").value = "";
  begin();
});

// Which images

function choose(files) {
  tell();
  const { images, bytes } = known.limits;
  const size = files.reduce((sum, file) => sum + file.size, 0);
  if (files.length === 0) return;
  if (files.length > images) {
    tell(`${files.length} images are too many at once; choose ${images} or fewer.`);
  } else if (size > bytes) {
    tell(`These images have ${(size / 2 ** 20).toFixed(1)} MB together; ${Math.floor(bytes / 2 ** 20)} MB are taken.`);
  } else {
    chosen = files;
    find("again").disabled = false;
    search();
  }
}

find("files").addEventListener("change", (event) => {
  choose([...event.target.files]);
  event.target.value = ""; // the same file may be chosen again
});

const drop = find("drop");
for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
for (const kind of ["dragleave", "drop"]) {
  addEventListener(kind, (event) => { event.preventDefault(); drop.classList.remove("over"); });
}
addEventListener("drop", (event) => {
  if (known !== null && !find("ask").hidden) choose([...event.dataTransfer.files]);
});

// What is found

function tell(problem = null) {
  find("problem").hidden = problem === null;
  find("problem").textContent = problem ?? "";
}

function wait(words, busy) {
  find("status").textContent = words;
  find("status").classList.toggle("busy", busy);
}

function question() {
  const body = new FormData();
  for (const file of chosen) body.append("images", file, file.name);
  body.append("k", find("k").value);
  body.append("pictures", "true");
  for (const text of [find("camera").value, ...find("where").value.split(";")]) {
    if (text.trim() !== "") body.append("where", text.trim());
  }
  return body;
}

async function search() {
  asking?.abort();
  const mine = asking = new AbortController();
  tell();
  const number = chosen.length === 1 ? chosen[0].name : `${chosen.length} images`;
  wait(`Searching for ${number} …`, true);
  try {
    const answer = await (await ask("search", { method: "POST", body: question(), signal: mine.signal })).json();
    show(answer);
    const failed = answer.images.filter((image) => image.error !== null).length;
    wait(failed === 0 ? `Results for ${number}` : `Results for ${answer.images.length - failed} of ${number}; ${failed} could not be read`, false);
  } catch (problem) {
    if (problem.name === "AbortError") return;
    if (problem.status === 401) return begin();
    wait("", false);
    clear();
    tell(problem.message);
    find("problem").scrollIntoView({ block: "nearest" });
  }
}

function clear() {
  for (const address of addresses) URL.revokeObjectURL(address);
  addresses = [];
  find("results").replaceChildren();
}

function show(answer) {
  clear();
  find("results").append(...answer.images.map((image, number) => result(image, chosen[number])));
  if (find("results").getBoundingClientRect().top > 0.7 * innerHeight) find("status").scrollIntoView();
}

function result(image, file) {
  if (image.error !== null) {
    return make("section", { className: "result" }, make("p", { className: "problem", textContent: `${image.name}: ${image.error}` }));
  }
  return make("section", { className: "result" }, query(image), matches(image, file));
}

function query(image) {
  const restored = image.restored === null ? null : figure(image.restored, "Restored", `${image.name}, restored`);
  const original = figure(image.shown, `Given, ${image.width} x ${image.height}`, image.name);
  original.querySelector("img").classList.add("pixelated");
  const ratio = Math.min(2, Math.max(0.3, image.width / image.height));
  for (const one of [original, restored]) one?.querySelector(".frame").style.setProperty("aspect-ratio", ratio);
  return make("div", { className: "query" },
    make("h2", { textContent: image.name }), make("div", { className: "pair" }, original, restored));
}

function figure(source, caption, alt) {
  return make("figure", {},
    make("span", { className: "frame" }, make("img", { src: source, alt })), make("figcaption", { textContent: caption }));
}

function matches(image, file) {
  if (image.hits.length === 0) {
    return make("p", { textContent: "Nothing in the gallery meets these conditions." });
  }
  return make("ol", { className: "hits", ariaLabel: `Matches of ${image.name}` }, ...image.hits.map((hit) => match(hit, file)));
}

function match(hit, file) {
  const frame = make("span", { className: "frame" });
  const facts = Object.entries(hit.columns).filter(([column]) => !HIDDEN.includes(column))
    .map(([column, value]) => column === "camid" ? `camera ${value}` : `${column} ${value}`);
  const answer = hit.same ? "✓ the same" : "not the same";
  const link = make("a", { href: hit.picture, target: "_blank", rel: "noopener", title: hit.path }, frame,
    make("span", { className: "line" }, make("b", { textContent: `${hit.rank}.` }), " ", make("span", { textContent: hit.score.toFixed(4) })),
    hit.same === null ? null : make("span", { className: "answer", textContent: answer }),
    make("span", { className: "name", textContent: hit.path.split("/").pop() }),
    make("span", { textContent: facts.join(", ") }));
  fill(frame, link, hit);
  const why = known.explains ? make("button", { type: "button", className: "plain", textContent: "Why?", ariaLabel: `Why match ${hit.rank}?` }) : null;
  why?.addEventListener("click", () => explain(why, hit, file));
  return make("li", { className: hit.same ? "yes" : "" }, link, why);
}

/** The picture of a match; fetched with the token where one is needed, as links and images bring none. */
async function fill(frame, link, hit) {
  const picture = make("img", { alt: `Match ${hit.rank}`, loading: "lazy" });
  const failed = (problem) => frame.replaceChildren(problem?.message ?? "picture not there");
  if (!known.token_needed) {
    picture.src = `${hit.picture}?small=true`;
    picture.addEventListener("error", () => ask(hit.picture).then(() => failed(), failed));
    frame.append(picture);
    return;
  }
  try {
    const address = URL.createObjectURL(await (await ask(hit.picture)).blob());
    addresses.push(address);
    picture.src = link.href = address;
    frame.append(picture);
  } catch (problem) {
    failed(problem);
  }
}

async function explain(button, hit, file) {
  button.disabled = true;
  const body = new FormData();
  body.append("images", file, file.name);
  body.append("id", hit.id);
  try {
    const address = URL.createObjectURL(await (await ask("explain", { method: "POST", body })).blob());
    addresses.push(address);
    find("dialog-title").textContent = `${file.name} and match ${hit.rank}`;
    find("dialog-text").textContent = "The stronger the colour, the more a place adds to the score. It says where the network looked, not whether it is right.";
    find("dialog-picture").src = address;
    find("dialog-picture").alt = "Both images, each beside itself with its regions in colour";
    find("dialog").showModal();
  } catch (problem) {
    tell(problem.message);
    find("problem").scrollIntoView({ block: "nearest" });
  } finally {
    button.disabled = false;
  }
}

find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (chosen.length > 0) search();
});
for (const id of ["camera", "k"]) {
  find(id).addEventListener("change", () => { if (chosen.length > 0) search(); });
}

begin();
