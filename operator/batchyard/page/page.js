"use strict";
// Everything that comes from the operator is a stranger's string: it becomes text nodes, never markup.

const FIRST = 2000, LONGEST = 60000, AGAIN = 5; // milliseconds between looks; looks at once when a standby answers

const $ = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

// ---- words

const number = (value) => Number(value || 0).toLocaleString("en");

function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s}s`;
  if (s < 600) return `${Math.floor(s / 60)}m${s % 60 ? `${s % 60}s` : ""}`;
  if (s < 7200) return `${Math.floor(s / 60)}m`;
  if (s < 36000) return `${Math.floor(s / 3600)}h${Math.floor((s % 3600) / 60) || ""}${s % 3600 >= 60 ? "m" : ""}`;
  return s < 172800 ? `${Math.floor(s / 3600)}h` : `${Math.floor(s / 86400)}d`;
}

function money(text) {
  const value = Number(text || 0);
  if (!value) return "0.00";
  return value >= 1 ? value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 }) : value.toFixed(6).replace(/0{1,4}$/, "");
}

const COLOURS = {
  Pending: "slow", Runnable: "slow", Starting: "busy", Running: "busy", Succeeded: "good", Failed: "bad",
  Valid: "good", Invalid: "bad", Held: "slow", Draining: "slow", Updating: "busy", Deleting: "slow",
};
const chip = (word) => (word ? make("span", { class: `chip ${COLOURS[word] || ""}` }, word) : "");
const soft = (...words) => make("span", { class: "soft block" }, ...words);
const ago = (moment, at) => (moment ? span(at - moment) : "");

function job(row) {
  const button = make("button", { type: "button", class: "job" }, row.name);
  button.dataset.job = `${row.namespace}/${row.name}`;
  return button;
}
const named = (row) => [job(row), soft(row.namespace, row.array ? ` · ${row.array} children ended` : "")];

function bar(vcpus) {
  const most = Math.max(vcpus.max || 0, vcpus.provisioned || 0, 1);
  const there = make("i"), used = make("i");
  there.style.width = `${(100 * (vcpus.provisioned || 0)) / most}%`;
  used.style.width = `${(100 * (vcpus.used || 0)) / most}%`;
  return make("span", { class: "bar", "aria-hidden": "true" }, there, used);
}

function starts(row, at) {
  const when = row.estimatedStart;
  if (!when) return "";
  const early = span(when.p50 - at), late = span(when.p90 - at);
  return early === late ? `in ${early}` : `in ${early} to ${late}`;
}

function budget(told) {
  if (!told) return "";
  const committed = Number(told.committed) ? `, ${money(told.committed)} more expected` : "";
  const whose = told.share ? `share ${told.share}: ` : "";
  return soft(`${whose}${money(told.spent)} of ${money(told.amount)} within ${told.window}${committed}`);
}

function where(row) {
  const more = row.nodes > 1 ? ` and ${number(row.nodes - 1)} more` : "";
  return row.node ? [row.node + more, soft(row.environment)] : [];
}

// ---- tables: what a column says of a row; a cell is made anew only when that has changed

const TABLES = {
  queues: {
    none: "There is no JobQueue.",
    key: (row) => row.name,
    columns: [
      ["Queue", (row) => [row.name, soft(`priority ${row.priority} · ${row.strategy}`)]],
      ["Phase", (row) => [chip(row.phase), row.message ? soft(row.message) : ""]],
      ["Waiting", (row) => number(waits(row.jobs)), "n"],
      ["Running", (row) => number((row.jobs.starting || 0) + (row.jobs.running || 0)), "n"],
      ["Succeeded", (row) => number(row.jobs.succeeded), "n"],
      ["Failed", (row) => number(row.jobs.failed), "n"],
      ["Oldest", (row) => (row.oldestSeconds === null ? "" : span(row.oldestSeconds)), "n"],
      ["Cost", (row) => [money(row.cost.amount), budget(row.budget), ...row.shareBudgets.map(budget)], "n"],
      ["First in line", (row) => (row.head ? [job(row.head), " ", chip(row.head.reason), soft(row.head.message)] : [])],
    ],
  },
  environments: {
    none: "There is no ComputeEnvironment.",
    key: (row) => row.name,
    columns: [
      ["Environment", (row) => [row.name, soft([row.capacityType, row.provider].filter(Boolean).join(" · "))]],
      ["Phase", (row) => [chip(row.phase), row.message ? soft(row.message) : "", ...row.unavailable.map((text) => soft(text))]],
      ["vCPUs", (row) => [bar(row.vCpus), soft(`${number(row.vCpus.used)} taken, ${number(row.vCpus.provisioned)} ready`)]],
      ["Wanted", (row) => number(row.vCpus.desired), "n"],
      ["Min to max", (row) => `${number(row.vCpus.min)} to ${number(row.vCpus.max)}`, "n"],
      ["Nodes", (row) => nodes(row.nodes)],
      ["Price per hour", (row) => (row.pricePerHour === null ? "not ours" : money(row.pricePerHour)), "n"],
    ],
  },
  waiting: {
    none: "Nothing waits.",
    key: (row) => row.uid,
    columns: [
      ["Job", named],
      ["Queue", (row) => row.queue, "s"],
      ["Place", (row) => (row.position ? number(row.position) : ""), "n"],
      ["Why", (row) => [chip(row.reason || row.phase), soft(row.message)]],
      ["Submitted", (row, at) => `${ago(row.created, at)} ago`, "n"],
      ["Starts", starts, "n"],
    ],
  },
  running: {
    none: "Nothing runs.",
    key: (row) => row.uid,
    columns: [
      ["Job", named],
      ["Queue", (row) => row.queue, "s"],
      ["Phase", (row) => [chip(row.phase), row.pods > 1 ? soft(`${number(row.pods)} pods`) : ""]],
      ["Node", where],
      ["Attempt", (row) => (row.attempt ? number(row.attempt) : ""), "n"],
      ["For", (row, at) => ago(row.since, at), "n"],
    ],
  },
  ended: {
    none: "Nothing has ended that is still kept.",
    key: (row) => row.uid,
    columns: [
      ["Job", named],
      ["Queue", (row) => row.queue, "s"],
      ["How", (row) => [chip(row.phase), " ", row.reason && row.reason !== "Completed" ? make("span", { class: "soft" }, row.reason) : "", row.message ? soft(row.message) : ""]],
      ["Attempts", (row) => (row.attempts ? number(row.attempts) : ""), "n"],
      ["Ended", (row, at) => (row.stopped ? `${ago(row.stopped, at)} ago` : ""), "n"],
      ["Cost", (row) => (row.cost ? money(row.cost) : ""), "n"],
    ],
  },
};

const waits = (jobs) => (jobs.submitted || 0) + (jobs.pending || 0) + (jobs.runnable || 0);

function nodes(counts) {
  const words = ["ready", "launching", "draining", "failed"].filter((word) => counts[word]);
  return words.length ? words.map((word) => `${number(counts[word])} ${word}`).join(", ") : "none";
}

class Table {
  constructor(name) {
    Object.assign(this, TABLES[name], { name, rows: new Map() });
    const heads = this.columns.map(([title, , sort]) => make("th", { scope: "col", role: "columnheader", class: sort }, title));
    this.body = make("tbody", { role: "rowgroup" });
    const head = make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads));
    // The roles say what the narrow layout, which is no table to the browser, would take away.
    this.table = make("table", { role: "table", "aria-labelledby": name }, head, this.body);
    this.note = make("p", { class: "none" });
    $(`t-${name}`).replaceChildren(this.table, this.note);
    this.count = $(name).appendChild(make("small"));
  }

  show({ total, items }, at) {
    const before = this.rows;
    this.rows = new Map();
    for (const item of items) {
      const key = this.key(item);
      const row = before.get(key) || this.row();
      before.delete(key);
      this.rows.set(key, row);
      this.columns.forEach(([, say], number) => fill(row.cells[number], say(item, at)));
    }
    for (const row of before.values()) row.remove();
    [...this.rows.values()].forEach((row, number) => {
      if (this.body.children[number] !== row) this.body.insertBefore(row, this.body.children[number] || null);
    });
    write(this.count, total ? number(total) : "");
    this.table.hidden = !items.length;
    this.more = total > items.length ? `${number(items.length)} of ${number(total)} are shown.` : "";
    this.filter($("filter").value);
  }

  row() {
    const cells = this.columns.map(([title, , sort], number) =>
      number ? make("td", { role: "cell", "data-label": title, class: sort }) : make("th", { scope: "row", role: "rowheader" }));
    return make("tr", { role: "row" }, ...cells);
  }

  filter(words) {
    const wanted = words.trim().toLowerCase();
    let hits = 0;
    for (const row of this.rows.values()) {
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
      hits += !row.hidden;
    }
    const none = this.rows.size ? "No row has these words." : this.none;
    write(this.note, hits ? this.more : none);
    this.note.hidden = !this.note.textContent;
  }
}

function fill(cell, content) {
  const parts = (Array.isArray(content) ? content : [content]).filter((part) => part !== "" && part !== null && part !== undefined);
  const now = make("div", {}, ...parts);
  if (cell.said === now.innerHTML) return; // a string that is only compared
  cell.said = now.innerHTML;
  cell.toggleAttribute("data-empty", !parts.length);
  const focused = cell.contains(document.activeElement);
  cell.replaceChildren(cell.tagName === "TD" ? now : make("div", {}, ...now.childNodes));
  if (focused) cell.querySelector("button")?.focus();
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// ---- the whole

let tables = null;

function show(status) {
  tables ??= Object.fromEntries(Object.keys(TABLES).map((name) => [name, new Table(name)]));
  for (const [name, table] of Object.entries(tables)) table.show(status[name], status.at);
  figures(status);
  $("reasons").replaceChildren(...status.waiting.reasons.map(({ reason, jobs }) => make("span", { class: "chip" }, `${reason} ${number(jobs)}`)));
}

function figures({ queues, environments, cost, at }) {
  const sum = (rows, say) => rows.items.reduce((total, row) => total + (say(row) || 0), 0);
  const vcpus = (word) => sum(environments, (row) => row.vCpus[word]);
  const told = [
    ["Waiting", number(sum(queues, (row) => waits(row.jobs))), "children of arrays each"],
    ["Running", number(sum(queues, (row) => (row.jobs.running || 0) + (row.jobs.starting || 0))), `${number(sum(queues, (row) => row.jobs.starting))} of them starting`],
    ["Failed", number(sum(queues, (row) => row.jobs.failed)), `${number(sum(queues, (row) => row.jobs.succeeded))} succeeded`],
    ["vCPUs taken", number(vcpus("used")), `${number(vcpus("provisioned"))} ready, ${number(vcpus("max"))} at most`],
    ["Nodes ready", number(sum(environments, (row) => row.nodes.ready)), `${number(sum(environments, (row) => row.nodes.launching))} launching`],
    ["Price per hour", money(cost.pricePerHour), "of the nodes there are"],
    ["Spent", money(cost.amount), `${money(cost.wasted)} on attempts that failed`],
  ];
  $("figures").replaceChildren(...told.map(([title, value, more]) => make("div", {}, make("dt", {}, title), make("dd", {}, value, make("small", {}, more)))));
}

function introduce(status) {
  write($("who"), `${status.version || ""} ${status.identity || ""}`.trim());
  const notes = [];
  if (status.role === "standby") {
    notes.push(status.leader
      ? `This operator stands by and knows nothing of jobs: ${status.leader} leads.\nTo see its page: kubectl port-forward -n ${namespace()} pod/${status.leader} 8080`
      : "This operator stands by, and nobody leads yet.");
  }
  notes.push(...(status.problems || []));
  write($("notice"), notes.join("\n"));
  $("notice").hidden = !notes.length;
}

function namespace() {
  const found = /\/namespaces\/([^/]+)\/(?:services|pods)\//.exec(location.pathname);
  return found ? found[1] : "batchyard-system";
}

// ---- looking again and again

let timer = 0, wait = FIRST, heard = null, standbys = 0, looking = false;

function state(word, text) {
  $("state").dataset.state = word;
  write($("state"), text);
}

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(10000) });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error || body.message || `HTTP ${answer.status}`);
  return body;
}

async function look() {
  if (looking) return;
  looking = true;
  clearTimeout(timer);
  try {
    take(await ask("v1/status"));
  } catch (error) {
    wait = Math.min(wait * 2, LONGEST);
    const since = heard ? `Stale since ${heard.toLocaleTimeString("en-GB")}` : "No answer yet";
    state("stale", `${since}; trying again in ${span(wait / 1000)}`);
    $("state").title = String(error.message || error);
  } finally {
    looking = false;
    if (!document.hidden) timer = setTimeout(look, wait);
  }
}

function take(status) {
  const leads = status.role === "leader" && status.queues;
  // Behind a Service every look may reach another operator: one that stands by is no news while the leader is found soon.
  if (!leads && ++standbys <= AGAIN) {
    wait = 50;
    return;
  }
  standbys = 0;
  wait = leads ? FIRST : 3 * FIRST;
  heard = new Date();
  introduce(status);
  document.body.toggleAttribute("data-standby", !leads);
  if (leads) show(status);
  else for (const id of ["figures", "reasons"]) $(id).replaceChildren();
  state(leads ? "live" : "wait", leads ? "Live" : "Standing by");
  $("state").title = `asked ${heard.toLocaleTimeString("en-GB")}`;
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden) {
    wait = FIRST;
    look();
  }
});

// ---- one job

async function explain(name) {
  const [where, which] = name.trim().split("/");
  write($("why-title"), name.trim());
  $("why-body").replaceChildren(make("p", {}, "Asking the operator …"));
  if (!$("why").open) $("why").showModal();
  try {
    $("why-body").replaceChildren(...story(await askLeader(`v1/explain/${encodeURIComponent(where)}/${encodeURIComponent(which)}`)));
  } catch (error) {
    $("why-body").replaceChildren(make("p", {}, String(error.message || error)));
  }
}

async function askLeader(path) {
  for (let left = AGAIN; ; left--) {
    try {
      return await ask(path);
    } catch (error) {
      if (!left || !/stands by/.test(error.message)) throw error;
    }
  }
}

function story(told) {
  const now = Date.now() / 1000, start = told.estimatedStart;
  const facts = [make("p", {}, chip(told.phase), " ", told.reason ? chip(told.reason) : "")];
  if (told.message) facts.push(make("p", {}, told.message));
  if (told.position) facts.push(make("p", {}, `Place ${number(told.position)} in the queue, ${number(told.vCpusAhead)} vCPUs ahead of it.`));
  if (start) facts.push(make("p", {}, `Expected to start in ${span(Date.parse(start.p50) / 1000 - now)}, nine times in ten in ${span(Date.parse(start.p90) / 1000 - now)} at the latest.`));
  if (told.array) facts.push(make("p", {}, `${told.array.progress} children have ended.`));
  facts.push(plain(["Environment", "Verdict", "Needs", "Has"], (told.environments || []).map((e) => [e.name, e.verdict, e.need, e.have])));
  const attempts = (told.array?.attempts || told.attempts || []).slice(-10);
  facts.push(plain(["Attempt", "Node", "Reason", "Exit", "Message"], attempts.map((a) => [a.index === undefined ? a.number : `${a.index}: ${a.number}`, a.node, a.reason || "runs", a.exitCode, a.message])));
  return facts.filter(Boolean);
}

function plain(heads, rows) {
  if (!rows.length) return null;
  const body = rows.map((cells) => make("tr", { role: "row" }, ...cells.map((text, number) => {
    const empty = text === undefined || text === null || text === "";
    return make(number ? "td" : "th", { role: number ? "cell" : "rowheader", "data-label": heads[number], "data-empty": empty ? "" : null }, empty ? "" : make("div", {}, String(text)));
  })));
  const head = make("tr", { role: "row" }, ...heads.map((title) => make("th", { scope: "col", role: "columnheader" }, title)));
  return make("table", { role: "table" }, make("thead", { role: "rowgroup" }, head), make("tbody", { role: "rowgroup" }, ...body));
}

document.addEventListener("click", (event) => {
  const name = event.target.closest?.("button.job")?.dataset.job;
  if (name) explain(name);
});
$("find").addEventListener("submit", (event) => {
  event.preventDefault();
  explain($("job").value);
});
$("filter").addEventListener("input", () => {
  for (const table of Object.values(tables || {})) table.filter($("filter").value);
});

look();
