// Query by query: sort, filter and go through all queries. The data lie in the page as JSON (see browse.py).
// Names come from files, so they only ever become text, never markup.
"use strict";
(() => {
  const { images, queries, sheets } = JSON.parse(document.getElementById("browse-data").textContent);
  const total = queries.image.length;
  const part = (name) => document.getElementById(`browse-${name}`);
  const controls = part("controls").elements;
  const SVG = "http://www.w3.org/2000/svg";

  let chosen = []; // numbers of the queries that pass the filters, from 0, in the order of the list
  let shown = 0; // the query on the right
  const links = new Map(); // from query to its link in the list

  // ---- small makers of elements

  function make(tag, css, ...children) {
    const element = document.createElement(tag);
    if (css) element.className = css;
    element.append(...children);
    return element;
  }

  function mark(verdict, css) {
    const svg = document.createElementNS(SVG, "svg");
    const use = document.createElementNS(SVG, "use");
    svg.setAttribute("class", css);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", verdict);
    use.setAttribute("href", `#${verdict}`);
    svg.append(use);
    return svg;
  }

  // long names may go on in the next line after these
  function breakable(text) {
    return (text.match(/[^/_]*[/_]|[^/_]+/g) ?? []).flatMap((piece, i) => (i ? [document.createElement("wbr"), piece] : [piece]));
  }

  const percent = (fraction) => (fraction === null ? "–" : (100 * fraction).toFixed(1));
  const counted = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

  // ---- thumbnails: cells of sheets, which are decoded when first looked at

  const decoded = new Map();

  function sheetImage(index) {
    if (!decoded.has(index)) {
      const picture = new Image();
      picture.src = sheets[index].uri;
      decoded.set(index, picture.decode().then(() => picture));
    }
    return decoded.get(index);
  }

  function place(image) {
    let index = 0;
    while (image >= sheets[index].count) image -= sheets[index++].count;
    return { index, cell: image };
  }

  function thumbnail(image, words) {
    const { index, cell } = place(image);
    const { width, height, columns } = sheets[index];
    const canvas = make("canvas");
    canvas.width = width;
    canvas.height = height;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", words);
    const left = (cell % columns) * width, top = Math.floor(cell / columns) * height;
    sheetImage(index).then((picture) => {
      canvas.getContext("2d").drawImage(picture, left, top, width, height, 0, 0, width, height);
    });
    return canvas;
  }

  // ---- the query on the right

  function whose(image) {
    const camera = images.camera[image];
    return `pid ${images.pid[image]}${camera === null ? "" : `, camera ${camera}`}`;
  }

  // beside pictures there is little room; the folders are in the title then
  const short = (image) => images.name[image].slice(images.name[image].lastIndexOf("/") + 1);

  function caption(image, ...head) {
    const name = make("span", "name", ...breakable(sheets.length ? short(image) : images.name[image]));
    name.title = images.name[image];
    return make("figcaption", "", ...head, make("span", "", whose(image)), name);
  }

  function card(image, words, ...head) {
    const figure = make("figure");
    if (sheets.length) {
      const verdict = words === "query" ? [] : [mark(words, "mark")];
      figure.append(make("div", "frame", thumbnail(image, `${words}: ${whose(image)}`), ...verdict));
    }
    figure.append(caption(image, ...head));
    return figure;
  }

  function entry(query, rank) {
    const image = queries.entries[query][rank];
    const verdict = queries.right[query][rank] === "1" ? "right" : "wrong";
    const score = make("i", "", queries.scores[query][rank].toFixed(3));
    const number = make("b", "", String(rank + 1));
    const head = sheets.length ? [number, " ", score] : [number, mark(verdict, "sign"), score];
    return make("li", verdict, card(image, verdict, ...head));
  }

  function fact(name, value, after = "") {
    return make("span", "fact", `${name} `, make("b", "", value), after);
  }

  function facts(query) {
    const image = queries.image[query], camera = images.camera[image];
    const first = queries.first[query];
    const told = first === null
      ? [make("span", "", make("b", "", "no match in the gallery"), ", not scored")]
      : [fact("AP", percent(queries.ap[query]), " %"), fact("first match at rank", first.toLocaleString("en")),
         fact("matches", queries.matches[query].toLocaleString("en"))];
    told.push(fact("rate", queries.rate[query]));
    if (camera !== null) told.push(fact("camera", String(camera)));
    told.push(fact("pid", String(images.pid[image])), fact("file", images.name[image]));
    return told;
  }

  // the address follows a little later, as browsers refuse to change it at the pace of a key held down
  let later = 0;

  function address(query) {
    clearTimeout(later);
    later = setTimeout(() => history.replaceState(null, "", `#q=${query + 1}`), 200);
  }

  function show(query) {
    shown = query;
    const image = queries.image[query];
    part("number").textContent = `Query ${query + 1}`;
    part("link").href = part("link").textContent = `#q=${query + 1}`;
    part("facts").replaceChildren(...facts(query));
    part("query").replaceChildren(card(image, "query", make("b", "", "query")));
    part("entries").replaceChildren(...queries.entries[query].map((_, rank) => entry(query, rank)));
    point();
  }

  // where the shown query stands among the chosen ones
  function point() {
    const at = chosen.indexOf(shown);
    part("app").classList.toggle("none", !chosen.length);
    part("position").textContent = chosen.length
      ? `${(at + 1).toLocaleString("en")} of ${chosen.length.toLocaleString("en")}` : "no query passes these filters";
    part("previous").disabled = at <= 0;
    part("next").disabled = at < 0 || at === chosen.length - 1;
    part("list").querySelector("[aria-current]")?.removeAttribute("aria-current");
    part("list").querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
    const link = links.get(shown);
    if (!link) return;
    link.setAttribute("aria-current", "true");
    link.setAttribute("tabindex", "0"); // one stop for the whole list; the arrow keys go on from there
    const list = part("list"), row = link.parentElement;
    const above = row.offsetTop - list.offsetTop, below = above + row.offsetHeight - list.clientHeight;
    if (list.scrollTop > above || list.scrollTop < below) list.scrollTop = (above + below) / 2;
  }

  function step(by) {
    const next = chosen[chosen.indexOf(shown) + by];
    if (next === undefined) return;
    const inList = part("list").contains(document.activeElement);
    show(next);
    address(next);
    if (inList) links.get(next).focus({ preventScroll: true });
  }

  // ---- the list on the left

  const ORDERS = {
    worst: (a, b) => (queries.ap[a] ?? 2) - (queries.ap[b] ?? 2) || a - b, // without a match: last
    best: (a, b) => (queries.ap[b] ?? -1) - (queries.ap[a] ?? -1) || a - b,
    file: (a, b) => a - b,
  };

  function passes(query) {
    const image = queries.image[query], text = controls.text.value.trim().toLowerCase();
    if (controls.rate.value && queries.rate[query] !== controls.rate.value) return false;
    if (controls.camera.value && String(images.camera[image]) !== controls.camera.value) return false;
    if (controls.wrong.checked && (queries.first[query] === null || queries.first[query] === 1)) return false;
    return !text || images.name[image].toLowerCase().includes(text) || String(images.pid[image]) === text;
  }

  function row(query) {
    const first = queries.first[query], verdict = first === 1 ? "right" : "wrong";
    const sign = first === null ? make("span", "sign", "–") : mark(verdict, "sign");
    const link = make("a", verdict, make("span", "n", String(query + 1)), sign,
      make("span", "name", short(queries.image[query])), make("span", "ap", percent(queries.ap[query])));
    link.title = images.name[queries.image[query]];
    link.href = `#q=${query + 1}`;
    link.tabIndex = -1;
    links.set(query, link);
    return make("li", "", link);
  }

  function list() {
    chosen = [...Array(total).keys()].filter(passes).sort(ORDERS[controls.order.value]);
    links.clear();
    part("list").replaceChildren(...chosen.map(row));
    part("found").textContent = chosen.length === total ? counted(total, "query", "queries")
      : `${chosen.length.toLocaleString("en")} of ${counted(total, "query", "queries")}`;
    part("list").scrollTop = 0;
  }

  // after a change of filter or order: the first of the new list
  function change() {
    list();
    if (!chosen.length) return point();
    show(chosen[0]);
    address(shown);
  }

  // ---- what people do

  function options(select, values, name) {
    const there = [...new Set(values)].filter((value) => value !== null);
    there.sort((a, b) => Number(a) - Number(b) || String(a).localeCompare(String(b)));
    select.closest("label").hidden = there.length < 2;
    for (const value of there) select.append(new Option(`${name} ${value}`, value));
  }

  // number of the query the address names, from 0, or null
  function addressed() {
    const number = Number(/^#q=(\d+)$/.exec(location.hash)?.[1] ?? 0);
    return number >= 1 && number <= total ? number - 1 : null;
  }

  function follow() {
    const query = addressed();
    if (query === null) return;
    clearTimeout(later);
    if (!links.has(query)) { // filtered out: a link counts more than a filter
      part("controls").reset();
      list();
    }
    show(query);
  }

  const STEPS = { ArrowLeft: -1, ArrowRight: 1 };
  const STEPS_IN_LIST = { ...STEPS, ArrowUp: -1, ArrowDown: 1 };

  function key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const at = event.target;
    if (at.closest?.("input, select, textarea, .scroll")) return; // they need the arrows for themselves
    const by = (at.closest?.("#browse-list") ? STEPS_IN_LIST : STEPS)[event.key];
    if (!by) return;
    event.preventDefault();
    step(by);
  }

  options(controls.rate, queries.rate, "rate");
  options(controls.camera, queries.image.map((image) => images.camera[image]), "camera");
  part("app").hidden = false;
  part("app").classList.toggle("pictures", sheets.length > 0);
  // text counts with each letter, the others once they are chosen
  part("controls").addEventListener("input", (event) => event.target.name === "text" && change());
  part("controls").addEventListener("change", (event) => event.target.name !== "text" && change());
  part("controls").addEventListener("submit", (event) => event.preventDefault());
  part("previous").addEventListener("click", () => step(-1));
  part("next").addEventListener("click", () => step(1));
  addEventListener("hashchange", follow);
  addEventListener("keydown", key);
  list();
  show(chosen[0] ?? 0);
  if (addressed() !== null) {
    follow();
    document.getElementById("browse").scrollIntoView();
  }
})();
