// Numbers and times as people read them. Times are shown in the reader's own zone.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export const count = (value) => whole.format(value ?? 0);
export const rate = (value) => (value >= 100 ? whole : tenth).format(value ?? 0);

export function time(iso) {
  return iso ? clock.format(new Date(iso)) : "–";
}

export function moment(iso) {
  if (!iso) return "–";
  const when = new Date(iso);
  const today = when.toDateString() === new Date().toDateString();
  return today ? clock.format(when) : `${day.format(when)}, ${clock.format(when).slice(0, 5)}`;
}

/** 75 -> "1 min 15 s" */
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

export function took(start, end) {
  return duration(((end ? new Date(end) : new Date()) - new Date(start)) / 1000);
}

export function milliseconds(ms) {
  if (ms === null || ms === undefined) return "–";
  return ms < 1000 ? `${ms} ms` : `${tenth.format(ms / 1000)} s`;
}
