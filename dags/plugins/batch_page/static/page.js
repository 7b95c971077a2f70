// The page "Batch": which execution is shown, what the socket says of it, and the buttons.

import { follow, get, post } from "./api.js";
import { $, el, pill, say } from "./dom.js";
import { count, duration, moment, rate, time, took } from "./format.js";
import { makeTabs, show } from "./panels.js";

const RELOAD_EVERY = 2500; // ms, while an execution changes
const RETRY_EVERY = 5000;
const RUN_EVERY = 1500;
const NOTICE_FOR = 10000;
const ENDED = ["completed", "failed", "stopped"];

const BUTTONS = [
  { action: "pause", title: "Pause", when: (p) => p.status === "running" },
  { action: "resume", title: "Resume", primary: true, when: (p) => ["paused", "stopped", "failed"].includes(p.status) },
  { action: "stop", title: "Stop", when: (p) => ["running", "paused"].includes(p.status) },
  { action: "retry-failed", title: "Retry failed", when: (p) => ENDED.includes(p.status) && p.progress.failed > 0 },
];

const state = {
  may: false,
  busy: false,
  chosen: null, // uuid that a person picked; null: follow the newest
  progress: null, // of the execution shown
  executions: [],
  waiting: null, // Airflow run that was started and has no execution yet
};

// ---- what is shown ---------------------------------------------------------

let fading = 0;

/**
 * A line above everything: "info" of what was done goes away by itself, an "error" of what was
 * asked for stays, "trouble" with the server or its database stays until that is over.
 */
function notice(text, kind = "info", stays = false) {
  clearTimeout(fading);
  if (text && kind === "info" && !stays) fading = setTimeout(notice, NOTICE_FOR);
  $("notice").hidden = !text;
  $("notice").dataset.kind = kind;
  say($("notice"), text ?? "");
}

function drawProgress() {
  const p = state.progress;
  $("current").hidden = $("details").hidden = !p;
  if (!p) return;
  const { total, processed, successful, failed, percentage } = p.progress;
  say($("label"), p.label);
  $("status").dataset.kind = p.status;
  say($("status"), p.status);
  say($("about"), [p.mode, p.session_date && `session of ${p.session_date}`, `started ${moment(p.started_at)}`]
    .filter(Boolean).join(", "));
  $("reason").hidden = !p.reason || p.status === "running";
  $("reason").dataset.status = p.status;
  say($("reason"), p.reason ?? "");
  say($("percentage"), `${percentage.toFixed(2)}%`);
  $("bar").setAttribute("aria-valuenow", String(percentage));
  $("bar").setAttribute("aria-valuetext", `${count(processed)} of ${count(total)} stocks`);
  $("bar-good").style.width = `${total ? (100 * successful) / total : 0}%`;
  $("bar-bad").style.width = `${total ? (100 * failed) / total : 0}%`;
  drawTiles(p);
  drawWorking(p);
  drawButtons(p);
}

function tiles(p) {
  const { total, processed, failed } = p.progress;
  const eta = p.estimated_completion;
  const slow = p.rate_limit?.slow_until;
  const ended = ENDED.includes(p.status);
  return [
    ["Stocks", `${count(processed)} / ${count(total)}`, p.retrying ? `${count(p.retrying)} wait for a retry` : ""],
    ["Failed", count(failed), Object.entries(p.errors).map(([k, n]) => `${n} ${k.toLowerCase()}`).join(", "), failed ? "bad" : ""],
    ended
      ? ["Ended", moment(p.ended_at), `took ${took(p.started_at, p.ended_at)}`]
      : ["Done at", eta ? time(eta) : "–", eta ? `in ${duration((new Date(eta) - Date.now()) / 1000)}` : p.status === "paused" ? "paused" : "not known yet"],
    ["Stocks per minute", rate(p.throughput.stocks_per_minute), ended ? "on average" : `${rate(p.throughput.records_per_minute)} rows`],
    ["Rows stored", count(p.records_inserted), "new or changed"],
    ["Calls to Yahoo", count(p.http_calls), slow && !ended ? `slowed down until ${time(slow)}` : p.rate_limit && !ended ? `at most ${rate(p.rate_limit.rate)} a second` : ""],
  ];
}

function drawTiles(p) {
  const wanted = tiles(p);
  const box = $("tiles");
  if (box.childElementCount !== wanted.length) {
    box.replaceChildren(...wanted.map(() => el("div", {}, el("dt"), el("dd", {}, el("span"), el("small")))));
  }
  wanted.forEach(([title, value, hint, kind], index) => {
    const [dt, dd] = box.children[index].children;
    say(dt, title);
    say(dd.children[0], value);
    say(dd.children[1], hint || "\u00a0");
    dd.children[0].className = kind ?? "";
  });
}

function drawWorking(p) {
  $("now").hidden = ENDED.includes(p.status);
  const codes = p.current_processing;
  const key = codes.join();
  if ($("working").dataset.key === key) return;
  $("working").dataset.key = key;
  $("working").replaceChildren(...(codes.length
    ? codes.map((code) => el("li", {}, code))
    : [el("li", { class: "none" }, p.status === "running" ? "waiting for a worker" : "nothing")]));
}

function drawButtons(p) {
  const wanted = BUTTONS.filter((each) => each.when(p));
  const key = wanted.map((each) => each.action).join() + state.may + state.busy;
  if ($("buttons").dataset.key === key) return;
  $("buttons").dataset.key = key;
  const focused = document.activeElement?.dataset?.action;
  $("buttons").replaceChildren(...wanted.map((each) => el("button", {
    type: "button", "data-action": each.action, class: each.primary ? "primary" : null,
    disabled: !state.may || state.busy,
    title: state.may ? null : "You may look, not touch: this needs a role above viewer",
    onclick: () => (each.action === "stop" ? $("dialog-stop").showModal() : act(each.action)),
  }, each.title)));
  $("buttons").querySelector(`[data-action="${focused}"]`)?.focus();
}

function drawHistory(more) {
  $("history").hidden = !state.executions.length;
  $("empty").hidden = state.executions.length > 0 || state.waiting !== null;
  $("older").hidden = !more;
  $("executions").replaceChildren(...state.executions.map((row) => el("tr",
    { "aria-current": row.uuid === state.progress?.batch_id ? "true" : null },
    el("td", {}, el("button", { type: "button", class: "link", onclick: () => choose(row.uuid) }, row.label)),
    el("td", {}, pill(row.status)),
    el("td", {}, row.session_date ? `${row.mode} ${row.session_date}` : row.mode),
    el("td", { class: "time" }, moment(row.start_time)),
    el("td", { class: "number" }, took(row.start_time, row.end_time)),
    el("td", { class: "number" }, `${count(row.processed_stocks)} / ${count(row.total_stocks)}`),
    el("td", { class: "number" }, count(row.failed_stocks)),
    el("td", { class: "number" }, count(row.records_inserted)),
  )));
}

// ---- what is loaded --------------------------------------------------------

let loading = false;
let stale = false;
let retry = 0;

/** Load the list and the execution shown; one at a time, and again if asked meanwhile. */
async function load() {
  if (loading) {
    stale = true;
    return;
  }
  loading = true;
  clearTimeout(retry);
  try {
    const { executions, more } = await get("executions");
    const older = state.executions.filter((row) => row.id < (executions.at(-1)?.id ?? 0));
    state.executions = [...executions, ...older];
    const wanted = state.chosen ?? executions[0]?.uuid;
    if (wanted) {
      const execution = await get(`executions/${wanted}`);
      state.progress = execution.progress;
      drawProgress();
      await show(execution);
    }
    drawHistory(more && !older.length);
    if ($("notice").dataset.kind === "trouble") notice(null);
  } catch (error) {
    notice(error.message, "trouble");
    if (error.status !== 401) retry = setTimeout(load, RETRY_EVERY);
  } finally {
    loading = false;
    if (stale) {
      stale = false;
      setTimeout(load, RELOAD_EVERY);
    }
  }
}

function choose(uuid) {
  state.chosen = uuid;
  load();
  window.scrollTo({ top: 0 });
}

let soon = 0;
function loadSoon(wait = RELOAD_EVERY) {
  if (soon) return;
  soon = setTimeout(() => {
    soon = 0;
    load();
  }, wait);
}

function heard(progress) {
  const shown = state.progress;
  const newer = !shown || (!state.chosen && progress.id > shown.id);
  if (newer || progress.batch_id === shown.batch_id) {
    const turned = newer || progress.status !== shown.status;
    state.progress = progress;
    drawProgress();
    loadSoon(turned ? 0 : RELOAD_EVERY);
  } else {
    loadSoon();
  }
}

function connection(kind, reason) {
  $("live").dataset.state = kind;
  say($("live"), kind === "live" ? "live" : "reconnecting");
  // What is wrong is asked for: the reason of a closed socket may be cut short.
  load().then(() => {
    if (kind === "lost" && reason && $("notice").hidden) notice(reason, "trouble");
  });
}

// ---- what a person does ----------------------------------------------------

async function act(action) {
  state.busy = true;
  drawButtons(state.progress);
  if (action === "resume" && state.progress.status !== "paused") notice("Waiting for its workers to end …", "info", true);
  try {
    const told = await post(`executions/${state.progress.batch_id}/${action}`);
    notice(told.message);
    if (action === "retry-failed") awaitRun(told.run_id);
  } catch (error) {
    notice(error.message, "error");
  } finally {
    state.busy = false;
    drawButtons(state.progress);
    load();
  }
}

/** Wait until a run that was started has its execution, or has failed before it had one. */
async function awaitRun(run) {
  state.waiting = run;
  state.chosen = null;
  try {
    const { execution, state: now } = await get(`runs/${encodeURIComponent(run)}`);
    if (state.waiting !== run) return;
    if (execution !== null) {
      state.waiting = null;
      notice(null);
      load();
      return;
    }
    if (now === "failed" || now === "success") {
      state.waiting = null;
      notice(now === "failed"
        ? `Airflow's run ${run} failed before it came to fetch anything. The log of its failed task in Airflow says why.`
        : `Airflow's run ${run} ended without anything to fetch.`, now === "failed" ? "error" : "info");
      return;
    }
    notice(now === "queued"
      ? `Airflow's run ${run} is queued: it begins when the run before it has ended.`
      : `Airflow's run ${run} looks at the systems and the list of stocks first.`, "info", true);
  } catch (error) {
    notice(error.message, "error");
  }
  setTimeout(() => state.waiting === run && awaitRun(run), RUN_EVERY);
}

async function start(event) {
  event.preventDefault();
  const mode = $("form-start").elements.mode.value;
  const symbols = mode === "symbols" ? $("symbols").value.split(/[\s,、]+/).filter(Boolean) : [];
  $("start-now").disabled = true;
  $("start-error").hidden = true;
  try {
    const told = await post("executions", { mode, symbols });
    $("dialog-start").close();
    notice(told.message);
    awaitRun(told.run_id);
  } catch (error) {
    $("start-error").hidden = false;
    say($("start-error"), error.message);
  } finally {
    $("start-now").disabled = false;
  }
}

function wire() {
  $("start").addEventListener("click", () => {
    $("start-error").hidden = true;
    $("dialog-start").showModal();
  });
  $("form-start").addEventListener("submit", start);
  $("form-start").addEventListener("change", () => {
    const some = $("form-start").elements.mode.value === "symbols";
    $("symbols-field").hidden = !some;
    if (some) $("symbols").focus();
  });
  $("form-stop").addEventListener("submit", () => act("stop"));
  document.querySelectorAll("[data-close]").forEach((button) =>
    button.addEventListener("click", () => button.closest("dialog").close()));
  $("older").addEventListener("click", async () => {
    const { executions, more } = await get(`executions?before=${state.executions.at(-1).id}`);
    state.executions.push(...executions);
    drawHistory(more);
  });
}

/** Airflow's own choice of light or dark, if this page may see it; else the system's. */
function theme() {
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    // Storage may be closed to us.
  }
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = ["dark", "light"].includes(chosen) ? chosen : system;
}

async function begin() {
  theme();
  addEventListener("storage", theme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);
  makeTabs();
  wire();
  try {
    const { user, may_control } = await get("me");
    state.may = may_control;
    $("start").disabled = !may_control;
    $("start").title = may_control ? "" : `${user} may look, not touch: this needs a role above viewer`;
  } catch (error) {
    notice(error.message, "error");
    return;
  }
  follow(heard, connection);
  await load();
}

begin();
