// Shows the Markdown that reports are written in: headings, paragraphs, lists, tables, code, bold.
// It makes elements and sets their text, so whatever a report holds stays text. Links are not made.

import { el } from "./dom.js";

export function markdown(text) {
  const lines = text.split("\n");
  const made = el("div", { class: "report" });
  while (lines.length) made.append(...block(lines));
  return made;
}

function block(lines) {
  const line = lines[0];
  const heading = /^(#{1,6})\s+(.*)$/.exec(line);
  if (heading) {
    lines.shift();
    return [el(`h${Math.min(heading[1].length, 4)}`, {}, ...inline(heading[2]))];
  }
  if (!line.trim()) return lines.shift(), [];
  if (line.startsWith("```")) return [fence(lines)];
  if (line.trimStart().startsWith("|")) return [table(take(lines, (each) => each.trimStart().startsWith("|")))];
  const item = /^\s*(?:[-*]|\d+\.)\s+/;
  if (item.test(line)) {
    const ordered = /^\s*\d/.test(line);
    const items = take(lines, (each) => item.test(each)).map((each) => el("li", {}, ...inline(each.replace(item, ""))));
    return [el(ordered ? "ol" : "ul", {}, ...items)];
  }
  const words = take(lines, (each) => each.trim() && !/^(#{1,6}\s|```|\s*\||\s*[-*]\s)/.test(each));
  // What starts like something else but is not, is a paragraph too: a line is always used up.
  return [el("p", {}, ...inline((words.length ? words : [lines.shift()]).join(" ")))];
}

function take(lines, fits) {
  const end = lines.findIndex((each) => !fits(each));
  return lines.splice(0, end < 0 ? lines.length : end);
}

function fence(lines) {
  lines.shift();
  const code = take(lines, (each) => !each.startsWith("```"));
  lines.shift();
  return el("pre", {}, el("code", {}, code.join("\n")));
}

function table(lines) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((each) => each.trim().replaceAll("\\|", "|"));
  const rule = /^[\s|:-]+$/;
  const right = lines.length > 1 && rule.test(lines[1]) ? cells(lines[1]).map((each) => each.endsWith(":")) : [];
  const kind = (index) => ({ class: right[index] ? "number" : null });
  const row = (line, name) => el("tr", {}, ...cells(line).map((each, index) => el(name, kind(index), ...inline(each))));
  const [head, ...body] = lines.filter((line) => !rule.test(line));
  const made = el("table", {}, el("tbody", {}, ...body.map((line) => row(line, "td"))));
  if (head !== undefined) made.prepend(el("thead", {}, row(head, "th")));
  return el("div", { class: "wide" }, made);
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).filter(Boolean).map((part) => {
    if (part.length > 2 && part.startsWith("`")) return el("code", {}, part.slice(1, -1));
    if (part.length > 4 && part.startsWith("**")) return el("strong", {}, part.slice(2, -2));
    return part;
  });
}
