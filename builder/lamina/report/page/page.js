"use strict";
// Everything that the image says is put into the page as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const make = (name, text, properties = {}) => Object.assign(document.createElement(name), { textContent: text }, properties);

function human(size) {
  if (size === null || size === undefined) return "unknown";
  let value = size;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (value < 999.5) return `${unit === "B" ? value : value.toFixed(1)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} TB`;
}

// A row for each store path, and for the other files of each layer.
const rows = data.paths.map(([path, layer, size, references], index) => ({
  index, path, layer, size: size || 0, known: size !== null, references, name: path.slice(path.lastIndexOf("/") + 34),
}));
const users = rows.map(() => []);
for (const row of rows) for (const target of row.references) users[target].push(row.index);
data.layers.forEach((layer, number) => {
  if (layer.fileCount) {
    rows.push({
      index: -1, path: `layer ${number + 1}`, layer: number, size: layer.fileBytes, known: true, references: [],
      files: layer.files, name: `${layer.fileCount} files in no store path (layer ${number + 1})`,
    });
  }
});

const total = data.layers.reduce((sum, layer) => sum + (layer.size || 0), 0);
find("title").textContent = data.name;
document.title = `${data.name}: image report`;
find("summary").textContent = `${data.layers.length} layers, ${human(total)}, ${data.paths.length} store paths. ${data.imageId}`;
find("config").textContent = JSON.stringify(data.config, null, 2);

// The treemap: slices of halves, alternately side by side and one over the other.
const SMALLEST = 40; // square pixels; smaller boxes are left out
const LINE = 15; // pixels of a line of a label
function place(items, x, y, width, height, out) {
  if (!items.length || width * height < SMALLEST) return;
  if (items.length === 1) { out.push([items[0], x, y, width, height]); return; }
  const sum = items.reduce((all, item) => all + item.size, 0);
  let half = 0, count = 0;
  while (count < items.length - 1 && (count === 0 || half + items[count].size / 2 < sum / 2)) half += items[count++].size;
  const share = sum ? half / sum : 0.5;
  const [first, second] = [items.slice(0, count), items.slice(count)];
  if (width > height) {
    place(first, x, y, width * share, height, out);
    place(second, x + width * share, y, width * (1 - share), height, out);
  } else {
    place(first, x, y, width, height * share, out);
    place(second, x, y + height * share, width, height * (1 - share), out);
  }
}

function drawMap() {
  const map = find("map");
  const layers = data.layers.map((_, number) => {
    const items = rows.filter((row) => row.layer === number && row.size > 0).sort((a, b) => b.size - a.size);
    return { number, items, size: items.reduce((sum, item) => sum + item.size, 0) };
  }).filter((layer) => layer.size).sort((a, b) => b.size - a.size);
  const areas = [], boxes = [];
  place(layers, 0, 0, map.clientWidth, map.clientHeight, areas);
  for (const [layer, x, y, width, height] of areas) place(layer.items, x, y, width, height, boxes);
  map.replaceChildren(...boxes.map(([row, x, y, width, height], position) => {
    const text = `${row.name}, ${human(row.size)}, layer ${row.layer + 1}`;
    const box = make("button", "", { type: "button", title: text });
    const lines = Math.floor((height - 4) / LINE);
    if (width > 40 && lines > 0) {
      const hasSize = lines > 1 && width > 68;
      const label = make("span", row.name, { className: "label" });
      label.style.webkitLineClamp = hasSize ? lines - 1 : lines;
      box.append(label);
      if (hasSize) box.append(make("span", human(row.size), { className: "size" }));
    }
    box.setAttribute("aria-label", text);
    box.tabIndex = position ? -1 : 0;
    box.style.left = `${x}px`;
    box.style.top = `${y}px`;
    box.style.width = `${width}px`;
    box.style.height = `${height}px`;
    box.style.background = `hsl(${(row.layer * 67) % 360} 55% var(--light))`;
    box.addEventListener("click", () => show(row));
    return box;
  }));
}
find("map").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const boxes = [...find("map").children];
  const at = boxes.indexOf(document.activeElement);
  if (!step || at < 0) return;
  event.preventDefault();
  const next = boxes[(at + step + boxes.length) % boxes.length];
  boxes[at].tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});

// The shortest chain of references from a path to which nothing refers.
function chainTo(index) {
  const before = new Map([[index, -1]]);
  const waiting = [index];
  let last = index;
  for (let at = 0; at < waiting.length; at++) {
    last = waiting[at];
    if (!users[last].length) break;
    for (const user of users[last]) if (!before.has(user)) { before.set(user, last); waiting.push(user); }
  }
  const chain = [];
  for (let at = last; at !== -1; at = before.get(at)) chain.push(at);
  return chain;
}

function link(row) {
  const button = make("button", row.name, { type: "button", className: "link", title: row.path });
  button.addEventListener("click", () => show(row));
  return button;
}
const item = (child) => { const entry = document.createElement("li"); entry.append(child); return entry; };

function show(row) {
  find("detail").hidden = false;
  find("detail-title").textContent = row.name;
  find("facts").textContent = `${row.path}, ${human(row.known ? row.size : null)}, layer ${row.layer + 1}`;
  const chain = row.index < 0 ? [] : chainTo(row.index);
  const none = data.hasReferences ? "nothing" : "not known: the image has no recipe and no Nix database";
  const ways = data.hasReferences ? chain.map((at) => item(link(rows[at]))) : [item(none)];
  find("chain").replaceChildren(...(chain.length ? ways : [item("the image itself")]));
  find("below").textContent = row.files ? "Its largest files" : "What it refers to";
  const below = row.files ? row.files.map(([path, size]) => item(`/${path}, ${human(size)}`))
    : row.references.map((at) => item(link(rows[at])));
  find("references").replaceChildren(...(below.length ? below : [item(none)]));
  find("detail").focus();
}

let key = "size", down = true, limit = 200;
function drawTable() {
  const words = find("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = rows.filter((row) => words.every((word) => row.path.toLowerCase().includes(word) || row.name.toLowerCase().includes(word)));
  found.sort((a, b) => (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0) * (down ? -1 : 1));
  find("table").tBodies[0].replaceChildren(...found.slice(0, limit).map((row) => {
    const line = document.createElement("tr");
    const name = document.createElement("td");
    name.append(link(row));
    line.append(name, make("td", `${row.layer + 1}`), make("td", human(row.known ? row.size : null)));
    return line;
  }));
  const sum = found.reduce((all, row) => all + row.size, 0);
  find("count").textContent = `${found.length} of ${rows.length} rows, ${human(sum)}`;
  find("more").hidden = found.length <= limit;
}
find("search").addEventListener("input", drawTable);
find("more").addEventListener("click", () => { limit = Infinity; drawTable(); });
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    down = key === button.dataset.key ? !down : button.dataset.key === "size";
    key = button.dataset.key;
    for (const head of document.querySelectorAll("#table th")) head.setAttribute("aria-sort", "none");
    button.closest("th").setAttribute("aria-sort", down ? "descending" : "ascending");
    drawTable();
  });
}

function tableOf([title, heads, rows]) {
  const table = document.createElement("table");
  table.append(make("caption", title));
  const head = table.createTHead().insertRow();
  for (const text of heads) head.append(make("th", text, { scope: "col" }));
  const body = table.createTBody();
  for (const row of rows) body.insertRow().append(...row.map((text) => make("td", text)));
  const box = make("div", "", { className: "scroll wide", tabIndex: 0 });
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", title);
  box.append(table);
  return box;
}

function drawDifference() {
  if (!data.difference) return;
  find("difference").hidden = false;
  find("changes").replaceChildren(make("p", data.difference.summary), ...data.difference.tables.map(tableOf));
}

function theme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  find("theme").setAttribute("aria-pressed", String(dark));
}
const system = matchMedia("(prefers-color-scheme: dark)");
find("theme").setAttribute("aria-pressed", String(system.matches));
find("theme").addEventListener("click", () => theme(find("theme").getAttribute("aria-pressed") !== "true"));

drawTable();
drawDifference();
drawMap();
let resizing = 0;
addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(drawMap, 100); });
document.documentElement.dataset.ready = "true";
