"""The status page at /: what this node is, what it holds, and where its API is.

One file without anything from elsewhere. Its numbers come from the same API that everyone
uses, asked by the browser, so the page shows nobody more than they may see.
"""

import functools
import html
import secrets

from starlette.responses import HTMLResponse

from aimem_node.contract.operations import OPERATIONS

_STYLE = """
:root { color-scheme: light dark; --edge: #8884; --faint: #888; --mark: #2a7; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.dot { display: inline-block; width: .7em; height: .7em; border-radius: 50%;
  background: var(--faint); }
.dot.ok { background: var(--mark); } .dot.bad { background: #c33; }
.faint { color: var(--faint); } code { font: .9em ui-monospace, monospace; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .75rem; }
.card { border: 1px solid var(--edge); border-radius: .5rem; padding: .6rem .8rem; }
.card b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; }
td { padding: .2rem .6rem .2rem 0; vertical-align: top; border-top: 1px solid var(--edge); }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
form { display: none; margin-top: 1rem; } form.wanted { display: block; }
"""

_SCRIPT = """
const byId = (id) => document.getElementById(id);
let token = "";
async function ask(path) {
  const headers = token ? { Authorization: "Bearer " + token } : {};
  const answer = await fetch(path, { headers });
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error), { body, status: answer.status });
  return body;
}
function card(name, value) {
  const box = document.createElement("div"), number = document.createElement("b");
  box.className = "card"; number.textContent = value; box.append(number, name);
  return box;
}
function row(...cells) {
  const line = document.createElement("tr");
  cells.forEach((text, at) => {
    const cell = document.createElement("td");
    cell.textContent = text; if (at) cell.className = "number"; line.append(cell);
  });
  return line;
}
const size = (bytes) =>
  bytes < 1e6 ? (bytes / 1e3).toFixed(0) + " kB" : (bytes / 1e6).toFixed(1) + " MB";
async function show() {
  try {
    const health = await ask("/api/v1/health");
    byId("dot").className = "dot " + (health.status === "ok" ? "ok" : "bad");
    byId("node").textContent = ["version " + health.version, "node " + health.node_id,
      "up " + Math.floor(health.uptime_secs / 60) + " min", health.data_dir, health.reason]
      .filter(Boolean).join(" · ");
    const stats = await ask("/api/v1/stats");
    byId("counts").replaceChildren(
      card("memories", stats.total), ...stats.by_tier.map((t) => card(t.tier, t.count)),
      card("links", stats.links_count), card("archived", stats.archived),
      card("ops in the log", stats.ops), card("conflicts", stats.conflicts),
      card("on disk", size(stats.db_size_bytes)));
    const tree = await ask("/api/v1/namespaces");
    byId("namespaces").replaceChildren(...tree.namespaces.map((n) => row(n.namespace, n.count)));
    byId("trouble").textContent = "";
    byId("entry").className = "";
  } catch (fault) {
    byId("dot").className = "dot bad";
    byId("trouble").textContent = fault.message + (fault.body ? ". " + fault.body.next : "");
    if (fault.status === 401) byId("entry").className = "wanted";
  }
}
byId("entry").addEventListener("submit", (event) => {
  event.preventDefault(); token = byId("token").value; show();
});
show(); setInterval(show, 10000);
"""

_BODY = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>aimem</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style nonce="{nonce}">{style}</style></head><body>
<h1><span id="dot" class="dot"></span> aimem</h1>
<p class="faint">The memory of AI agents on this machine.<br><span id="node"></span></p>
<p id="trouble" role="alert"></p>
<form id="entry"><label>Token <input id="token" type="password" autocomplete="off"></label>
<button>Show</button></form>
<div id="counts" class="cards"></div>
<h2>Namespaces</h2><table><tbody id="namespaces"></tbody></table>
<h2>API</h2>
<p>Described in <a href="/openapi.json">openapi.json</a>; metrics at <a href="/metrics">metrics</a>;
MCP at <code>/mcp</code>.</p>
<table><tbody>{operations}</tbody></table>
<script nonce="{nonce}">{script}</script>
</body></html>
"""


def status_page() -> HTMLResponse:
    """The page, allowed to load nothing but itself and to ask nothing but this node."""
    nonce = secrets.token_urlsafe(16)
    text = _BODY.format(nonce=nonce, style=_STYLE, script=_SCRIPT, operations=_operation_rows())
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(text, headers=headers)


@functools.cache
def _operation_rows() -> str:
    rows = []
    for operation in OPERATIONS.values():
        for rule in operation.http:
            ways = html.escape(f"{rule.method.upper()} {rule.path}")
            sentence = html.escape(operation.help.split("\n")[0])
            rows.append(f"<tr><td><code>{ways}</code></td><td>{sentence}</td></tr>")
    return "".join(rows)
