// Elements out of data. Text is always set as text: nothing that came from outside is parsed.

/** An element: el("td", {class: "number"}, "12"). Children are elements or text. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const $ = (id) => document.getElementById(id);

/** A coloured word. */
export const pill = (kind, text = kind) => el("span", { class: "pill", "data-kind": kind }, text);

export const quiet = (text) => el("p", { class: "quiet" }, text);

/** A table out of rows; each column is [title, class, row => content]. */
export function table(columns, rows) {
  const head = columns.map(([title, kind]) => el("th", { scope: "col", class: kind }, title));
  const body = rows.map((row) =>
    el("tr", {}, ...columns.map(([, kind, content]) => el("td", { class: kind }, content(row) ?? "–"))),
  );
  return el("div", { class: "wide" },
    el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body)));
}

/** Set the text only if it is another one: an unchanged text stays selected and unread. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
