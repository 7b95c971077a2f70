// What the page asks the server. Addresses are relative: Airflow may live below any path.

const FIRST_WAIT = 500;
const LONGEST_WAIT = 10000;

/** The server said no, or nothing. `message` tells what to do. */
export class Refused extends Error {
  constructor(text, status = 0) {
    super(text);
    this.status = status;
  }
}

export const get = (path) => ask("GET", path);
export const post = (path, body) => ask("POST", path, body);

async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(`api/${path}`, {
      method,
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch {
    throw new Refused("Airflow's server does not answer. Is it running? (make up) This page tries again by itself.");
  }
  let content = null;
  try {
    content = await answer.json();
  } catch {
    // An error page of a proxy, say: the status is all there is.
  }
  if (answer.ok && content !== null) return content;
  if (answer.status === 401) throw new Refused("Your login has ended. Log in to Airflow again, then reload this page.", 401);
  throw new Refused(detail(content) ?? `The server answered ${answer.status}.`, answer.status);
}

function detail(content) {
  const told = content?.detail;
  if (Array.isArray(told)) return told.map((each) => `${each.loc?.slice(1).join(".")}: ${each.msg}`).join("\n");
  return typeof told === "string" ? told : null;
}

/**
 * Follow the progress of all executions until the page closes.
 * `heard(progress)` for each message, `changed("live" | "lost", reason)` for the connection.
 */
export function follow(heard, changed) {
  let wait = FIRST_WAIT;
  const open = () => {
    const address = new URL("ws/progress", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.onopen = () => changed("live");
    socket.onmessage = (event) => {
      wait = FIRST_WAIT;
      heard(JSON.parse(event.data));
    };
    socket.onclose = (event) => {
      changed("lost", event.reason);
      setTimeout(open, wait * (0.75 + Math.random() / 2));
      wait = Math.min(LONGEST_WAIT, wait * 2);
    };
  };
  open();
}
