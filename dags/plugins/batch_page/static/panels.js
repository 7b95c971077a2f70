// The tabs below the progress: each loads what it shows, again while the batch changes.

import { get } from "./api.js";
import { $, el, pill, quiet, table } from "./dom.js";
import { count, milliseconds, moment, time } from "./format.js";
import { markdown } from "./markdown.js";

const CODES = {
  TEMPORARY: "may pass: was tried again",
  PERMANENT: "will not pass by itself",
  SYSTEM: "our own side",
};

const PANELS = {
  errors: {
    title: "Errors",
    count: (batch) => batch.progress.progress.failed,
    load: async (batch) => {
      if (!batch.errors.length) return [quiet("No errors.")];
      const failed = await get(`executions/${batch.uuid}/failed`);
      const sums = table([
        ["Class", "", (row) => el("span", { title: CODES[row.error_class] ?? "" }, row.error_class)],
        ["Reason", "", (row) => row.error_code || "–"],
        ["Failed", "number", (row) => count(row.failed)],
        ["Retrying", "number roomy", (row) => count(row.retrying)],
        ["For example", "text", (row) => row.example],
      ], batch.errors);
      if (!failed.length) return [sums];
      return [sums, el("h3", { class: "below" }, "Failed stocks"), table([
        ["Stock", "", (row) => `${row.stock_code} ${row.name ?? ""}`],
        ["Reason", "", (row) => row.error_code ?? row.error_class],
        ["Tries", "number roomy", (row) => count(row.retry_count + 1)],
        ["When", "time roomy", (row) => moment(row.end_time)],
        ["Message", "text", (row) => row.error_message],
      ], failed)];
    },
  },
  findings: {
    title: "Findings",
    load: async (batch) => {
      const found = await get(`executions/${batch.uuid}/findings`);
      if (!found.rows.length) {
        const checked = batch.status === "completed" && batch.report_markdown;
        return [quiet(checked ? "The checks found nothing wrong in the data." : "The data is checked when all stocks are fetched.")];
      }
      return [table([
        ["Severity", "", (row) => pill(row.severity)],
        ["Rule", "", (row) => row.rule],
        ["Found", "number", (row) => count(row.found)],
      ], found.by_rule), el("h3", { class: "below" }, "The gravest"), table([
        ["Severity", "", (row) => pill(row.severity)],
        ["Rule", "", (row) => row.rule],
        ["Symbol", "", (row) => row.symbol],
        ["Session", "time", (row) => row.trade_date],
        ["What", "text", (row) => row.message],
      ], found.rows)];
    },
  },
  report: {
    title: "Report",
    load: async (batch) => [batch.report_markdown
      ? markdown(batch.report_markdown)
      : quiet("The report is written when the batch is done.")],
  },
  events: {
    title: "Events",
    load: async (batch) => {
      const events = await get(`executions/${batch.uuid}/events`);
      if (!events.length) return [quiet("Nothing has happened yet.")];
      return [table([
        ["Time", "time", (row) => time(row.logged_at)],
        ["Action", "", (row) => row.action],
        ["", "", (row) => pill(row.status)],
        ["Stock", "", (row) => row.stock_code],
        ["Rows", "number roomy", (row) => (row.records_count === null ? null : count(row.records_count))],
        ["Took", "number roomy", (row) => milliseconds(row.duration_ms)],
        ["By", "roomy", (row) => row.worker_id],
        ["Message", "text", (row) => row.error_message],
      ], events)];
    },
  },
  settings: {
    title: "Settings",
    load: async (batch) => {
      const all = {
        "Airflow run": batch.run_id ?? "none: it was started on the terminal",
        uuid: batch.uuid,
        id: batch.id,
        ...batch.config,
      };
      const shown = Object.entries(all).flatMap(([name, value]) => [
        el("dt", {}, name),
        el("dd", {}, value === null ? "default" : typeof value === "object" ? JSON.stringify(value) : String(value)),
      ]);
      return [el("dl", { class: "settings" }, ...shown)];
    },
  },
};

let selected = "errors";
let batch = null;
let round = 0;

/** Make the tabs. Arrow keys move between them. */
export function makeTabs() {
  const names = Object.keys(PANELS);
  for (const name of names) {
    $("tabs").append(el("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "panel",
      onclick: () => select(name),
    }, PANELS[name].title, el("span", { class: "count", hidden: true })));
  }
  $("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = names[(names.indexOf(selected) + step + names.length) % names.length];
    select(next);
    $(`tab-${next}`).focus();
    event.preventDefault();
  });
  mark();
}

function mark() {
  for (const name of Object.keys(PANELS)) {
    const tab = $(`tab-${name}`);
    tab.setAttribute("aria-selected", String(name === selected));
    tab.tabIndex = name === selected ? 0 : -1;
  }
  $("panel").setAttribute("aria-labelledby", `tab-${selected}`);
}

function select(name) {
  selected = name;
  mark();
  show(batch);
}

/** Show the selected tab of an execution as `api/executions/…` gives it. */
export async function show(execution) {
  batch = execution;
  if (!batch) return;
  const mine = ++round;
  for (const [name, panel] of Object.entries(PANELS)) {
    const number = panel.count?.(batch) ?? 0;
    const badge = $(`tab-${name}`).querySelector(".count");
    badge.hidden = !number;
    badge.textContent = count(number);
  }
  let content;
  try {
    content = await PANELS[selected].load(batch);
  } catch (error) {
    content = [quiet(error.message)];
  }
  if (mine !== round) return; // a later one was asked for meanwhile
  const scrolled = [...$("panel").querySelectorAll(".wide")].map((each) => each.scrollLeft);
  $("panel").replaceChildren(...content);
  $("panel").querySelectorAll(".wide").forEach((each, index) => (each.scrollLeft = scrolled[index] ?? 0));
}
