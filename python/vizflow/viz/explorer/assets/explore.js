/* The explorer's page: keeps the view, asks for cells, draws them. Numbers come from the server as they are shown;
   nothing is aggregated here. Not a Dash component: it fills the empty boxes of page.py's layout. */
(() => {
  "use strict";
  const $ = (id) => document.getElementById("vf-" + id);
  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "class") node.className = value;
      else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value != null) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  };
  const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
  const NONE = "∅";  // how the server and the address spell null
  const named = (key) => (key === NONE ? "none" : String(key));

  let about, base, axes, dates, metrics, view, colours;
  const shown = { marks: {}, panels: {} };
  const timing = [];

  // ---- numbers ---------------------------------------------------------------------------------------------------

  const plainFormat = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 4 });
  const wholeFormat = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const number = (v) => {
    if (v == null || Number.isNaN(v)) return "–";
    if (Number.isInteger(v) && Math.abs(v) < 1e12) return wholeFormat.format(v).replace("-", "−");
    const size = Math.abs(v);
    if (size !== 0 && (size < 1e-4 || size >= 1e12)) return v.toExponential(3).replaceAll("-", "−").replace("e+", "e");
    return plainFormat.format(v).replace("-", "−");
  };
  const whole = (v) => (v == null || Number.isNaN(v) ? "–" : wholeFormat.format(v));
  const share = (v) => (v == null || Number.isNaN(v) ? null : plainFormat.format(100 * v) + " %");
  const isoDate = (d) => d.slice(0, 4) + "-" + d.slice(4, 6) + "-" + d.slice(6);

  function decode(text) {
    const raw = atob(text), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return new Float64Array(bytes.buffer);
  }

  // ---- axes: positions 0 … n-1, and where they are drawn ------------------------------------------------------------

  function readAxis(a) {
    const placed = a.kind === "bin" || (a.kind === "integer" && a.dense);
    const step = placed ? (a.width == null ? 1 : a.width) : 1;
    const axis = {
      ...a, n: a.keys.length, step, placed,
      at: placed ? (i) => Number(((a.keys[0] + i) * step).toPrecision(12)) : (i) => i,
      text: a.kind === "bin" ? (i) => number(axis.at(i)) : (i) => named(a.keys[i]),
      index: new Map(a.keys.map((key, i) => [key, i])),
      unit: (a.title.match(/\[(.*)\]$/) || ["", ""])[1],
    };
    axis.core = coreOf(axis.rows, axis.n);
    return axis;
  }

  /* The positions that hold 99.9 % of the rows. */
  function coreOf(rows, n) {
    if (!rows) return [0, n - 1];
    const total = rows.reduce((sum, v) => sum + v, 0), tail = total * 0.0005;
    let low = 0, high = n - 1, seen = 0;
    for (seen = 0; low < high && seen + rows[low] <= tail; low++) seen += rows[low];
    for (seen = 0; high > low && seen + rows[high] <= tail; high--) seen += rows[high];
    return [low, high];
  }

  function dateAxis() {
    const axis = {
      name: "date", kind: "date", title: "date", note: "", keys: about.dates, n: about.dates.length, step: 1, placed: false,
      at: (i) => i, text: (i) => isoDate(about.dates[i]), rows: about.date_rows, unit: "",
      index: new Map(about.dates.map((d, i) => [d, i])),
    };
    axis.core = [0, axis.n - 1];
    return axis;
  }

  /* Filter of a dimension as positions [low, high], or null. Categories that are not neighbours have no range. */
  function rangeOf(name) {
    const axis = axisOf(name);
    if (name === "date") {
      if (!view.dates) return null;
      const low = about.dates.findIndex((d) => d >= view.dates[0]);
      let high = axis.n - 1;
      while (high >= 0 && about.dates[high] > view.dates[1]) high--;
      return low < 0 || high < low ? null : [low, high];
    }
    const wanted = view.where[name];
    if (!wanted) return null;
    if (axis.kind === "category") {
      const at = wanted.map((text) => axis.index.get(text)).sort((a, b) => a - b);
      return at.length && at[at.length - 1] - at[0] === at.length - 1 ? [at[0], at[at.length - 1]] : null;
    }
    const low = axis.keys.findIndex((key) => key >= wanted[0]);
    let high = axis.n - 1;
    while (high >= 0 && axis.keys[high] > wanted[1]) high--;
    return low < 0 || high < low ? null : [low, high];
  }

  function setRange(name, range) {
    const axis = axisOf(name);
    const all = !range || (range[0] <= 0 && range[1] >= axis.n - 1);
    if (name === "date") view.dates = all ? null : [about.dates[range[0]], about.dates[range[1]]];
    else if (all) delete view.where[name];
    else if (axis.kind === "category") view.where[name] = axis.keys.slice(range[0], range[1] + 1);
    else view.where[name] = [axis.keys[range[0]], axis.keys[range[1]]];
  }

  const axisOf = (name) => (name === "date" ? dates : axes.get(name));

  function extentOf(axis) {
    const brush = rangeOf(axis.name);
    if (view.extent === "brush" && brush) return brush;
    if (view.extent === "all" || axis.name === "date") return [0, axis.n - 1];
    return brush ? [Math.min(axis.core[0], brush[0]), Math.max(axis.core[1], brush[1])] : axis.core;
  }

  // ---- the view and its address --------------------------------------------------------------------------------------

  function firstView() {
    const names = about.axes.map((a) => a.name);
    const numeric = about.metrics.map((m) => m.name).filter((m) => m !== about.count);
    return {
      x: names[0], y: names[1] || names[0], metric: numeric[0] || about.metrics[0].name, by: "", extent: "core",
      dates: null, where: {}, min: 0, sort: "", descending: true,
    };
  }

  /* A link may hold anything: "%" alone is no escape. */
  function decoded(text) {
    try { return decodeURIComponent(text); } catch { return text; }
  }

  function readAddress() {
    const out = firstView(), given = new URLSearchParams(location.search), unknown = [], beyond = [];
    const pick = (key, option, known) => {
      const value = given.get(key);
      if (value == null) return;
      if (known.includes(value)) out[option] = value;
      else unknown.push(`${key}=${value}`);
    };
    const names = [...axes.keys()];
    pick("x", "x", names); pick("y", "y", names); pick("m", "metric", about.metrics.map((m) => m.name));
    pick("by", "by", ["", ...names]); pick("axes", "extent", ["core", "all", "brush"]);
    pick("sort", "sort", ["", ...names, ...about.metrics.map((m) => m.name)]);
    if (given.get("order") === "up") out.descending = false;
    const least = Number(given.get("min") || 0);
    if (Number.isSafeInteger(least) && least >= 0) out.min = least; else unknown.push(`min=${given.get("min")}`);
    const d = (given.get("d") || "").match(/^(\d{8})-(\d{8})$/), known = about.dates, last = known[known.length - 1];
    if (d && d[1] <= d[2] && known.some((date) => date >= d[1] && date <= d[2])) {
      out.dates = [d[1], d[2]];
      if (d[1] < known[0] || d[2] > last) beyond.push(`dates ${isoDate(d[1])} to ${isoDate(d[2])}: the data has ${isoDate(known[0])} to ${isoDate(last)}`);
    } else if (given.get("d")) unknown.push(`d=${given.get("d")}`);
    for (const [key, value] of given) {
      if (!key.startsWith("f.")) continue;
      const axis = axes.get(key.slice(2));
      if (!axis) { unknown.push(key); continue; }
      if (axis.kind === "category") {
        const texts = value.split(",").map(decoded), there = texts.filter((t) => axis.index.has(t));
        if (there.length) out.where[axis.name] = [...new Set(there)];
        const lost = texts.filter((t) => !axis.index.has(t));
        if (lost.length) unknown.push(`${key}=${lost.join(",")}`);
      } else {
        const pair = value.match(/^(-?\d+):(-?\d+)$/), low = pair && +pair[1], high = pair && +pair[2];
        if (pair && low <= high && axis.keys.some((k) => k >= low && k <= high)) {
          out.where[axis.name] = [Math.max(low, axis.keys[0]), Math.min(high, axis.keys[axis.n - 1])];
          if (low < axis.keys[0] || high > axis.keys[axis.n - 1]) beyond.push(`${key}=${value}: cut at the data's ends`);
        } else unknown.push(`${key}=${value}`);
      }
    }
    const cut = (text) => (text.length > 300 ? text.slice(0, 300) + "…" : text);
    standing = [unknown.length ? cut(`Not in this data, and left out: ${unknown.join(", ")}`) : "",
                beyond.length ? cut(`Beyond this data: ${beyond.join(", ")}.`) : ""].filter(Boolean).join(". ");
    return out;
  }

  function address() {
    const out = new URLSearchParams({ x: view.x, y: view.y, m: view.metric });
    if (view.by) out.set("by", view.by);
    if (view.extent !== "core") out.set("axes", view.extent);
    if (view.dates) out.set("d", view.dates.join("-"));
    if (view.min) out.set("min", view.min);
    if (view.sort) out.set("sort", view.sort);
    if (!view.descending) out.set("order", "up");
    for (const [name, wanted] of Object.entries(view.where)) {
      out.set("f." + name, axes.get(name).kind === "category" ? wanted.map(encodeURIComponent).join(",") : wanted.join(":"));
    }
    return location.pathname + "?" + out.toString();
  }

  let addressTimer = 0;
  function writeAddress(push) {
    clearTimeout(addressTimer);
    const write = () => {
      if (push) history.pushState(null, "", address()); else history.replaceState(null, "", address());
      const dash = window.dash_clientside;
      if (dash && dash.set_props) dash.set_props("vf-view", { data: JSON.parse(JSON.stringify(view)) });
    };
    if (push) write(); else addressTimer = setTimeout(write, 150);
  }

  // ---- questions -----------------------------------------------------------------------------------------------------

  let busy = false, again = null, tableTimer = 0, tableWaits = false;

  function question(panels) {
    return {
      x: view.x, y: view.y, metric: view.metric, by: view.by || null, dates: view.dates, where: view.where, min: view.min,
      sort: view.sort || null, descending: view.descending, panels, have: shown.marks,
    };
  }

  /* Ask for what the view needs now. One question is under way at a time; of those that wait only the last counts. */
  function ask(since = performance.now()) {
    clearTimeout(tableTimer);
    tableWaits = false;
    if (busy) { again = again == null ? since : again; return; }
    busy = true;
    const panels = ["total", "heat", "curve", ...(dates.n ? ["series"] : [])];
    fetchAnswer(question(panels)).then(
      (answer) => { draw(answer, since); },
      (error) => { trouble(error.message); },
    ).finally(() => {
      busy = false;
      if (again != null) { const waited = again; again = null; ask(waited); } else { tableWaits = true; tableTimer = setTimeout(askTable, 120); }
    });
  }

  function askTable() {
    tableWaits = false;
    if (busy) return;
    busy = true;
    fetchAnswer(question(["table"])).then((answer) => draw(answer), (error) => trouble(error.message)).finally(() => {
      busy = false;
      if (again != null) { const waited = again; again = null; ask(waited); }
    });
  }

  async function fetchAnswer(body) {
    let response;
    try {
      response = await fetch(base + "_vizflow/answer", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
    } catch {
      throw new Error("The server does not answer. Is `vizflow explore` still running? What is shown is from before.");
    }
    if (!response.ok) {
      let text = `${response.status} ${response.statusText}`;
      try { text = (await response.json()).error || text; } catch { /* the status line says enough */ }
      throw new Error(text);
    }
    return response.json();
  }

  function draw(answer, since) {
    const got = performance.now();
    trouble("");
    const drawers = { total: drawTotal, heat: drawHeat, curve: drawCurve, series: drawSeries, table: drawTable };
    for (const [name, panel] of Object.entries(answer.panels)) {
      if (panel.mark) shown.marks[name] = panel.mark; else delete shown.marks[name];
      if (panel.error) delete shown.panels[name];
      else shown.panels[name] = unpack(panel);
      redraw(name, drawers[name], panel.error);
    }
    // Panels that did not change still show the brush of one that did.
    for (const name of ["heat", "curve", "series"]) {
      if (name in answer.panels || !shown.panels[name]) continue;
      if (extentChanged(name)) redraw(name, drawers[name]); else placeBrush(name);
    }
    drawFilters();
    const drawn = performance.now();
    if (since != null) {
      timing.push({ wait: got - since, draw: drawn - got, total: drawn - since, server: answer.ms,
                    panels: Object.keys(answer.panels) });
      if (timing.length > 1000) timing.shift();
      document.dispatchEvent(new CustomEvent("vizflow:drawn", { detail: timing[timing.length - 1] }));
    }
  }

  function redraw(name, drawer, error) {
    let text = error || "";
    $(name + "-panel").classList.remove("vf-failed");  // what is drawn must have its size
    if (!text) {
      try { drawer(shown.panels[name]); } catch (failure) { console.error(failure); text = `This panel could not be drawn: ${failure.message}`; }
    }
    const box = $(name + "-error");
    box.hidden = !text;
    box.textContent = text;
    $(name + "-panel").classList.toggle("vf-failed", Boolean(text));
  }

  function unpack(panel) {
    const out = { ...panel };
    const open = (part) => {
      for (const key of ["value", "rows", "coverage", "half"]) if (typeof part[key] === "string") part[key] = decode(part[key]);
    };
    open(out);
    if (out.lines) out.lines = out.lines.map((l) => { const line = { ...l }; open(line); return line; });
    return out;
  }

  let standing = "";  // what was wrong with the address: stands until the view is changed

  function trouble(text) {
    const box = $("trouble"), all = [text, standing].filter(Boolean).join(" ");
    box.hidden = !all;
    box.textContent = all;
  }

  // ---- panels --------------------------------------------------------------------------------------------------------

  const plots = {};  // by panel: where its plot lies and what is on its axes; brush and pointer need it
  const config = { staticPlot: true, responsive: false, displayModeBar: false };

  function metric() { return metrics.get(view.metric); }

  function scaled(values, factor) {
    return factor === 1 ? values : values.map((v) => v * factor);
  }

  function frameOf(name, left, extra = {}) {
    const box = $(name);
    const width = Math.max(220, box.clientWidth), height = Math.max(120, box.clientHeight);
    const margin = { l: left, r: 12, t: 6, b: 38, pad: 0 };
    return {
      width, height, margin,
      inner: { left: margin.l, top: margin.t, width: width - margin.l - margin.r, height: height - margin.t - margin.b },
      layout: {
        width, height, margin, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: colours.empty, showlegend: false, hovermode: false,
        dragmode: false, font: { family: about.sans, size: 11, color: colours.muted }, ...extra,
      },
    };
  }

  const textWidth = (() => {
    const context = document.createElement("canvas").getContext("2d");
    return (text) => { context.font = `11px ${about.sans}`; return context.measureText(text).width; };
  })();

  /* The widest label of an axis of words, in pixels. */
  function widest(axis) {
    if (axis.wide == null) axis.wide = axis.keys.reduce((most, k) => Math.max(most, textWidth(String(k).slice(0, 60))), 0);
    return axis.wide;
  }

  function ticksOf(axis, low, high, pixels, across) {
    if (axis.placed) return { nticks: Math.max(3, Math.floor(pixels / (across ? 44 : 34))) };
    const labels = [];
    if (axis.kind === "date") {
      const room = Math.max(2, Math.floor(pixels / 80));
      const starts = [];
      for (let i = low; i <= high; i++) if (i === low || axis.keys[i].slice(0, 6) !== axis.keys[i - 1].slice(0, 6)) starts.push(i);
      const pick = starts.length >= 3 ? starts : Array.from({ length: high - low + 1 }, (_, i) => low + i);
      const step = Math.ceil(pick.length / room);
      for (let i = 0; i < pick.length; i += step) labels.push([pick[i], isoDate(axis.keys[pick[i]])]);
    } else {
      const room = across ? Math.min(160, widest(axis)) + 12 : 15;
      const step = Math.max(1, Math.ceil(((high - low + 1) * room) / pixels));
      for (let i = low; i <= high; i += step) labels.push([i, axis.text(i)]);
    }
    return { tickmode: "array", tickvals: labels.map((l) => l[0]), ticktext: labels.map((l) => plotText(fitted(l[1], across ? 160 : (axis.margin || 170) - 32))) };
  }

  /* Plotly reads tags and a few entities, &quot; not among them. */
  const plotText = (text) => String(text).replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" }[c]));

  /* Cut a label that is wider than its room, in its middle: long names and numbers differ at their ends. */
  function fitted(text, room) {
    text = String(text);
    if (text.length < 8 || textWidth(text) <= room) return text;
    const end = text.slice(-4);
    let n = Math.min(text.length - 4, 200);
    while (n > 1 && textWidth(text.slice(0, n) + "…" + end) > room) n = Math.floor(n * 0.9) - (n < 12);
    return text.slice(0, Math.max(1, n)) + "…" + end;
  }

  const escapeHtml = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }[c]));

  function axisLayout(axis, low, high, pixels, across, grid) {
    const half = axis.step / 2;
    return {
      range: [axis.at(low) - half, axis.at(high) + half], autorange: false, fixedrange: true, zeroline: false, showgrid: grid,
      gridcolor: colours.grid, linecolor: colours.line, showline: true, ticks: "outside", ticklen: 4, tickcolor: colours.line,
      tickfont: { size: 11, color: colours.muted }, exponentformat: "e", separatethousands: true, automargin: false,
      title: { text: plotText(fitted(axis.title, pixels)), font: { size: 11.5, color: colours.text }, standoff: across ? 6 : 4 },
      ...ticksOf(axis, low, high, pixels, across),
    };
  }

  function leftMargin(axis) {
    if (axis.margin == null) axis.margin = measuredMargin(axis);
    return axis.margin;
  }

  function measuredMargin(axis) {
    const labels = axis.placed ? [number(axis.at(0)), number(axis.at(axis.n - 1))] : axis.keys.slice(0, 60).map((k) => String(k).slice(0, 60));
    return Math.ceil(clamp(Math.max(...labels.map(textWidth)) + 36, 52, innerWidth < 600 ? 120 : 170));
  }

  function extentChanged(name) {
    const plot = plots[name];
    if (!plot) return false;
    const [x0, x1] = extentOf(plot.x);
    if (x0 !== plot.x0 || x1 !== plot.x1) return true;
    if (!plot.y) return false;
    const [y0, y1] = extentOf(plot.y);
    return y0 !== plot.y0 || y1 !== plot.y1;
  }

  // What 99 % of the rows stay within: one thin cell cannot bleach the map.
  function limits(values, rows) {
    const order = [];
    let negative = false, total = 0, least = Infinity;
    for (let i = 0; i < values.length; i++) {
      const v = values[i];
      if (Number.isNaN(v)) continue;
      const weight = rows ? rows[i] : 1;
      order.push([Math.abs(v), weight]);
      total += weight;
      if (v < 0) negative = true;
      if (v < least) least = v;
    }
    if (!order.length) return { negative: false, low: 0, high: 1 };
    order.sort((a, b) => a[0] - b[0]);
    let high = order[order.length - 1][0], seen = 0;
    for (const [size, weight] of order) { seen += weight; if (seen >= 0.99 * total) { high = size; break; } }
    high = high || order[order.length - 1][0] || 1;
    if (negative) return { negative, low: -high, high };
    return { negative, low: least < high ? Math.min(least, high) : 0, high };
  }

  /* Let Plotly draw a plot's axes alone, and only when they differ from those that stand. */
  function axesOnly(name, layout) {
    const key = JSON.stringify(layout);
    if (axesKeys[name] === key) return;
    Plotly.react($(name), [{ type: "scatter", x: [null], y: [null], hoverinfo: "skip" }], layout, config);
    axesKeys[name] = key;
  }

  const axesKeys = {};

  /* Paint the map's cells: a canvas takes a tenth of the time that a Plotly heatmap does. */
  function paint(inner, z, limit, list) {
    let canvas = $("heat-cells");
    if (!canvas) {
      canvas = make("canvas", { id: "vf-heat-cells", class: "vf-cells", "aria-hidden": "true" });
      $("heat-brush").before(canvas);
    }
    const ratio = window.devicePixelRatio || 1, wide = Math.round(inner.width * ratio), high = Math.round(inner.height * ratio);
    if (canvas.width !== wide || canvas.height !== high) { canvas.width = wide; canvas.height = high; }
    Object.assign(canvas.style, { left: `${inner.left}px`, top: `${inner.top}px`, width: `${inner.width}px`, height: `${inner.height}px` });
    const context = canvas.getContext("2d"), ramp = rampOf(list), ny = z.length, nx = ny ? z[0].length : 0;
    context.clearRect(0, 0, wide, high);
    const gapX = inner.width / nx > 7 ? Math.round(ratio) : 0, gapY = inner.height / ny > 7 ? Math.round(ratio) : 0;
    const span = limit.high - limit.low || 1;
    for (let j = 0; j < ny; j++) {
      const top = Math.round(((ny - 1 - j) * high) / ny), bottom = Math.round(((ny - j) * high) / ny);
      for (let i = 0; i < nx; i++) {
        const v = z[j][i];
        if (Number.isNaN(v)) continue;
        const left = Math.round((i * wide) / nx), right = Math.round(((i + 1) * wide) / nx);
        context.fillStyle = ramp[clamp(Math.round(((v - limit.low) / span) * 255), 0, 255)];
        context.fillRect(left, top, Math.max(1, right - left - gapX), Math.max(1, bottom - top - gapY));
      }
    }
  }

  const ramps = new Map();

  /* 256 colours between those of a list. */
  function rampOf(list) {
    const key = list.join();
    if (!ramps.has(key)) {
      const parts = list.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
      ramps.set(key, Array.from({ length: 256 }, (_, k) => {
        const at = (k / 255) * (parts.length - 1), low = Math.min(parts.length - 2, Math.floor(at)), share = at - low;
        return `rgb(${parts[low].map((v, c) => Math.round(v + (parts[low + 1][c] - v) * share)).join(",")})`;
      }));
    }
    return ramps.get(key);
  }

  function drawHeat(panel) {
    const x = axes.get(view.x), y = axes.get(view.y), m = metric();
    const [x0, x1] = extentOf(x), [y0, y1] = extentOf(y);
    const f = frameOf("heat", leftMargin(y));
    const nx = x1 - x0 + 1, ny = y1 - y0 + 1, z = [];
    const flat = new Float64Array(nx * ny), rows = panel.rows ? new Float64Array(nx * ny) : null;
    let outside = panel.cells;
    for (let j = 0; j < ny; j++) {
      const from = (y0 + j) * panel.nx + x0, row = scaled(panel.value.subarray(from, from + nx), m.scale);
      z.push(row);
      flat.set(row, j * nx);
      if (rows) rows.set(panel.rows.subarray(from, from + nx), j * nx);
    }
    for (const v of flat) if (!Number.isNaN(v)) outside--;
    const limit = limits(flat, rows), list = limit.negative ? colours.diverging : colours.sequential;
    axesOnly("heat", {
      ...f.layout,
      xaxis: axisLayout(x, x0, x1, f.inner.width, true, false), yaxis: axisLayout(y, y0, y1, f.inner.height, false, false),
    });
    paint(f.inner, z, limit, list);
    plots.heat = { ...f, x, y, x0, x1, y0, y1, panel };
    $("heat-title").textContent = m.label;
    legend(limit, list, m);
    const notes = [x.note && `${plainName(x)}: ${x.note}`, y.note && y !== x && `${plainName(y)}: ${y.note}`];
    if (x.without || y.without) notes.push(`rows without ${x.without ? plainName(x) : plainName(y)}: ${whole(x.without || y.without)}, not on the map`);
    if (panel.masked) notes.push(`${whole(panel.masked)} cells below ${whole(view.min)} rows hidden`);
    if (outside > 0) notes.push(`${whole(outside)} ${outside === 1 ? "cell" : "cells"} beyond the axes or without a value`);
    $("heat-note").textContent = notes.filter(Boolean).join(" · ");
    describe("heat", `${m.label} over ${x.title} and ${y.title}, ${whole(panel.cells)} cells. Arrow keys read cells, Shift with arrows brushes.`);
    placeBrush("heat");
  }

  const plainName = (axis) => axis.title.replace(/ \[.*\]$/, "");

  function legend(limit, list, m) {
    let box = $("heat-scale");
    if (!box) {
      box = make("div", { id: "vf-heat-scale", class: "vf-scale" }, make("span"), make("i"), make("span"));
      $("heat-title").after(box);
    }
    box.children[0].textContent = (limit.negative ? "≤ " : "") + number(limit.low);
    box.children[1].style.background = `linear-gradient(to right, ${list.join(",")})`;
    box.children[2].textContent = "≥ " + number(limit.high);
    box.setAttribute("title", `Colours end where 99 % of the rows stay within; ${m.label}`);
  }

  const translucent = (hex, alpha) => `rgba(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(",")},${alpha})`;

  function lineTraces(lines, axis, x0, x1, factor) {
    const bands = [], traces = [];
    let low = Infinity, high = -Infinity;
    lines.forEach((line, k) => {
      const colour = colours.series[k % colours.series.length], xs = [], ys = [], bx = [], up = [], down = [];
      let stretch = [];
      const close = () => {
        if (stretch.length > 1) {
          for (const p of stretch) { bx.push(p[0]); up.push(p[2]); }
          for (const p of stretch.slice().reverse()) { bx.push(p[0]); up.push(p[1]); }
          bx.push(null); up.push(null);
        }
        stretch = [];
      };
      for (let i = x0; i <= x1; i++) {
        const v = line.value[i] * factor, at = axis.at(i), half = line.half ? Math.abs(line.half[i] * factor) : NaN;
        xs.push(at);
        ys.push(Number.isNaN(v) ? null : v);
        if (Number.isNaN(v)) { close(); continue; }
        if (v < low) low = v;
        if (v > high) high = v;
        if (Number.isNaN(half)) close(); else stretch.push([at, v - half, v + half]);
      }
      close();
      if (bx.length) {
        bands.push({ type: "scatter", mode: "lines", x: bx, y: up, fill: "toself", fillcolor: translucent(colour, 0.15),
                     line: { width: 0 }, hoverinfo: "skip" });
      }
      traces.push({ type: "scatter", x: xs, y: ys, mode: xs.length <= 90 ? "lines+markers" : "lines", hoverinfo: "skip",
                    connectgaps: false, line: { color: colour, width: 1.6 }, marker: { size: 4, color: colour } });
    });
    // The bands widen the axis, but not beyond three times what the lines need: thin ends do not flatten the middle.
    let floor = low, ceiling = high;
    for (const band of bands) for (const v of band.y) if (v != null) { floor = Math.min(floor, v); ceiling = Math.max(ceiling, v); }
    const room = (high - low || Math.abs(high) || 1) * 1.0;
    low = Math.max(floor, low - room);
    high = Math.min(ceiling, high + room);
    if (low > high) { low = 0; high = 1; }
    const pad = (high - low || Math.abs(high) || 1) * 0.06;
    return { traces: [...bands, ...traces], range: [low - pad, high + pad] };
  }

  /* Millions and more are spelled with their letter, small ones as powers of ten. */
  const spelling = (range) => (Math.max(...range.map(Math.abs)) >= 1e6 ? "B" : "e");

  /* Room for a value axis' labels; what they measure stands in the panel's title. */
  function valueMargin(range) {
    if (spelling(range) === "B") return 52;
    const step = (range[1] - range[0]) / 4, digits = Math.max(0, Math.min(6, Math.ceil(1 - Math.log10(step || 1))));
    const format = new Intl.NumberFormat("en-US", { maximumFractionDigits: digits });
    return Math.ceil(clamp(Math.max(...range.map((v) => textWidth(format.format(v)))) + 16, 44, 100));
  }

  function valueAxis(range, pixels) {
    return {
      range, autorange: false, fixedrange: true, showgrid: true, gridcolor: colours.grid, zeroline: range[0] < 0 && range[1] > 0,
      zerolinecolor: colours.line, zerolinewidth: 1.5, showline: true, linecolor: colours.line, ticks: "outside", ticklen: 4,
      tickcolor: colours.line, tickfont: { size: 11, color: colours.muted }, nticks: Math.max(3, Math.floor(pixels / 40)),
      exponentformat: spelling(range), separatethousands: true, automargin: false, title: { text: "" },
    };
  }

  function drawCurve(panel) {
    const x = axes.get(view.x), m = metric(), [x0, x1] = extentOf(x);
    const drawn = lineTraces(panel.lines, x, x0, x1, m.scale), f = frameOf("curve", valueMargin(drawn.range));
    Plotly.react($("curve"), drawn.traces, {
      ...f.layout, plot_bgcolor: "rgba(0,0,0,0)", xaxis: axisLayout(x, x0, x1, f.inner.width, true, true),
      yaxis: valueAxis(drawn.range, f.inner.height),
    }, config);
    plots.curve = { ...f, x, x0, x1, panel, lines: panel.lines, range: drawn.range };
    $("curve-title").textContent = `${m.label} by ${plainName(x)}`;
    const banded = panel.lines.some((l) => l.half);
    const notes = [banded && "bands: 95 %, errors clustered by date"];
    if (panel.masked) notes.push(`${whole(panel.masked)} points below ${whole(view.min)} rows hidden`);
    if (panel.dropped) notes.push(`${panel.dropped} smaller lines not drawn`);
    $("curve-note").textContent = notes.filter(Boolean).join(" · ");
    lineLegend(panel.lines);
    describe("curve", `${m.label} by ${x.title}, ${panel.lines.length} ${panel.lines.length === 1 ? "line" : "lines"}.`);
    placeBrush("curve");
  }

  function lineLegend(lines) {
    let box = $("curve-legend");
    if (!box) { box = make("ul", { id: "vf-curve-legend", class: "vf-legend" }); $("curve-note").after(box); }
    box.replaceChildren();
    if (!view.by || view.by === view.x) return;
    const by = axes.get(view.by);
    lines.forEach((line, k) => {
      const mark = make("i");
      mark.style.background = colours.series[k % colours.series.length];
      box.append(make("li", {}, mark, by.kind === "category" ? named(line.name) : `${plainName(by)} ${named(line.name)}`));
    });
  }

  function drawSeries(panel) {
    const m = metric(), [x0, x1] = extentOf(dates);
    const drawn = lineTraces([panel], dates, x0, x1, m.scale), traces = drawn.traces, f = frameOf("series", valueMargin(drawn.range));
    const layout = {
      ...f.layout, plot_bgcolor: "rgba(0,0,0,0)", xaxis: axisLayout(dates, x0, x1, f.inner.width, true, false),
      yaxis: valueAxis(drawn.range, f.inner.height),
    };
    layout.xaxis.title = { text: "" };
    if (panel.rows && view.metric !== about.count) {
      const rows = Array.from(panel.rows.subarray(x0, x1 + 1)), most = Math.max(1, ...rows.filter((v) => !Number.isNaN(v)));
      traces.unshift({ type: "scatter", x: rows.map((_, i) => x0 + i), y: rows.map((v) => (Number.isNaN(v) ? 0 : v)), yaxis: "y2",
                       line: { width: 0, shape: "hvh" }, mode: "lines", fill: "tozeroy", fillcolor: translucent(colours.muted, 0.18),
                       hoverinfo: "skip" });
      layout.yaxis2 = { range: [0, most * 4.5], overlaying: "y", side: "right", visible: false, fixedrange: true };
    }
    Plotly.react($("series"), traces, layout, config);
    plots.series = { ...f, x: dates, x0, x1, panel, lines: [panel], range: drawn.range };
    $("series-title").textContent = `${m.label} by date`;
    const notes = [panel.rows && view.metric !== about.count ? "grey: rows" : ""];
    if (panel.masked) notes.push(`${whole(panel.masked)} dates below ${whole(view.min)} rows hidden`);
    $("series-note").textContent = notes.filter(Boolean).join(" · ");
    describe("series", `${m.label} by date, ${dates.n} dates.`);
    placeBrush("series");
  }

  function describe(name, text) { $(name).setAttribute("aria-label", text); }

  function drawTotal(panel) {
    const m = metric(), box = $("total");
    const items = [[m.label, number(panel.value == null ? null : panel.value * m.scale)
      + (panel.half == null ? "" : ` ± ${number(panel.half * m.scale)}`)]];
    if (panel.rows != null && view.metric !== about.count) items.push(["rows", whole(panel.rows)]);
    if (panel.coverage != null) items.push(["coverage", share(panel.coverage)]);
    if (dates.n) items.push(["dates", whole(panel.dates)]);
    box.replaceChildren(make("dl", {}, ...items.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value)))));
  }

  function drawTable(panel) {
    const box = $("table"), kept = box.scrollTop;
    const keyed = new Set(axes.keys());
    const head = panel.columns.map((name) => {
      const sorted = panel.sort === name, label = keyed.has(name) ? axes.get(name).title : metrics.get(name).label;
      const words = keyed.has(name) && axes.get(name).kind === "category";
      return make("th", { scope: "col", class: words ? "" : "vf-number", "aria-sort": sorted ? (panel.descending ? "descending" : "ascending") : "none" },
        make("button", { type: "button", onclick: () => {
          view.descending = sorted ? !view.descending : true;
          view.sort = name;
          writeAddress(); askTable();
        } }, label, make("span", { "aria-hidden": "true" }, sorted ? (panel.descending ? " ▾" : " ▴") : "")));
    });
    const lines = panel.rows.map((row) => {
      const cells = row.map((value, i) => {
        const name = panel.columns[i];
        if (keyed.has(name)) {
          const words = axes.get(name).kind === "category";
          return `<td${words ? ` title="${escapeHtml(named(value))}"` : ' class="vf-number"'} data-v="${escapeHtml(value)}">${escapeHtml(named(words ? value : value.replace("-", "−")))}</td>`;
        }
        const exact = value == null ? "" : ` data-v="${escapeHtml(value)}" title="${escapeHtml(value)}"`;
        const text = typeof value === "number" ? number(value * metrics.get(name).scale) : value == null ? "–" : escapeHtml(value);
        return `<td class="vf-number"${exact}>${text}</td>`;
      });
      return `<tr>${cells.join("")}</tr>`;
    });
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody"));
    table.lastChild.innerHTML = lines.join("");
    box.replaceChildren(table);
    box.scrollTop = kept;
    const more = panel.height > panel.rows.length ? `first ${whole(panel.rows.length)} of ${whole(panel.height)} cells; all in the export` : `${whole(panel.height)} ${panel.height === 1 ? "cell" : "cells"}`;
    $("table-note").textContent = more;
    const asked = encodeURIComponent(JSON.stringify({ ...question([]), have: undefined, panels: undefined }));
    $("csv").href = `${base}_vizflow/export.csv?view=${asked}`;
    $("parquet").href = `${base}_vizflow/export.parquet?view=${asked}`;
  }

  // ---- the brush, and reading cells ---------------------------------------------------------------------------------

  /* Pixels of a range of positions within a plot, cut at its edges. */
  function pixels(plot, axis, range, across) {
    const [low, high] = across ? [plot.x0, plot.x1] : [plot.y0, plot.y1];
    const length = across ? plot.inner.width : plot.inner.height, n = high - low + 1;
    const from = clamp((range[0] - low) / n, 0, 1) * length, to = clamp((range[1] + 1 - low) / n, 0, 1) * length;
    return across ? [from, to] : [length - to, length - from];
  }

  function placeBrush(name) {
    const plot = plots[name], box = $(name + "-brush");
    if (!plot) return;
    const rx = rangeOf(plot.x.name), ry = plot.y ? rangeOf(plot.y.name) : null;
    box.hidden = !rx && !ry;
    if (box.hidden) return;
    const [left, right] = rx ? pixels(plot, plot.x, rx, true) : [0, plot.inner.width];
    const [top, bottom] = ry ? pixels(plot, plot.y, ry, false) : [0, plot.inner.height];
    Object.assign(box.style, { left: `${plot.inner.left}px`, top: `${plot.inner.top}px`, width: `${plot.inner.width}px`, height: `${plot.inner.height}px` });
    if (!box.firstChild) box.append(make("div"));
    Object.assign(box.firstChild.style, { left: `${left}px`, top: `${top}px`, width: `${Math.max(2, right - left)}px`, height: `${Math.max(2, bottom - top)}px` });
  }

  function positionAt(plot, event) {
    const bounds = plot.box.getBoundingClientRect();
    const px = event.clientX - bounds.left - plot.inner.left, py = event.clientY - bounds.top - plot.inner.top;
    const nx = plot.x1 - plot.x0 + 1;
    const inside = px >= 0 && py >= 0 && px < plot.inner.width && py < plot.inner.height;
    const i = plot.x0 + clamp(Math.floor((px / plot.inner.width) * nx), 0, nx - 1);
    if (!plot.y) return { i, inside };
    const ny = plot.y1 - plot.y0 + 1;
    return { i, j: plot.y1 - clamp(Math.floor((py / plot.inner.height) * ny), 0, ny - 1), inside };
  }

  function applyBrush(plot, from, to) {
    setRange(plot.x.name, [Math.min(from.i, to.i), Math.max(from.i, to.i)]);
    if (plot.y && plot.y !== plot.x) setRange(plot.y.name, [Math.min(from.j, to.j), Math.max(from.j, to.j)]);
    viewChanged();
  }

  function clearBrush(plot) {
    setRange(plot.x.name, null);
    if (plot.y) setRange(plot.y.name, null);
    viewChanged();
  }

  function watchPlot(name) {
    const node = $(name).parentElement, cursor = { i: null, j: null, from: null };
    const plot = () => plots[name] && Object.assign(plots[name], { box: $(name) });
    let drag = null;
    $(name).tabIndex = 0;
    node.addEventListener("pointerdown", (event) => {
      const p = plot();
      if (!p || event.button !== 0) return;
      const at = positionAt(p, event);
      if (!at.inside) return;
      const rx = rangeOf(p.x.name), ry = p.y ? rangeOf(p.y.name) : null;
      const within = (r, v) => !r || (v >= r[0] && v <= r[1]);
      const moves = (rx || ry) && within(rx, at.i) && (!p.y || within(ry, at.j));
      drag = { from: at, last: at, moved: false, start: moves ? { rx, ry } : null, x: event.clientX, y: event.clientY };
      node.setPointerCapture(event.pointerId);
      $(name).focus({ preventScroll: true, focusVisible: false });
      event.preventDefault();
    });
    node.addEventListener("pointermove", (event) => {
      const p = plot();
      if (!p) return;
      const at = positionAt(p, event);
      if (!drag) { if (at.inside) tip(p, at, event.clientX, event.clientY); else hideTip(); return; }
      hideTip();
      if (!drag.moved && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 4) return;
      if (drag.moved && at.i === drag.last.i && at.j === drag.last.j) return;
      drag.moved = true;
      drag.last = at;
      if (drag.start) {
        const shift = (r, axis, by) => { const d = clamp(by, -r[0], axis.n - 1 - r[1]); return [r[0] + d, r[1] + d]; };
        if (drag.start.rx) setRange(p.x.name, shift(drag.start.rx, p.x, at.i - drag.from.i));
        if (drag.start.ry && p.y !== p.x) setRange(p.y.name, shift(drag.start.ry, p.y, at.j - drag.from.j));
        viewChanged();
      } else applyBrush(p, drag.from, at);
    });
    const end = (event) => {
      if (drag && !drag.moved) {
        const p = plot();
        if (rangeOf(p.x.name) || (p.y && rangeOf(p.y.name))) clearBrush(p);
        // A finger does not hover: a tap reads what is under it, until the next touch elsewhere.
        if (event.pointerType !== "mouse") tip(p, drag.from, event.clientX, event.clientY, true);
      }
      drag = null;
    };
    node.addEventListener("pointerup", end);
    node.addEventListener("pointercancel", () => { drag = null; });
    node.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hideTip(); });
    $(name).addEventListener("blur", () => { cursor.i = null; cursor.from = null; hideTip(); });
    $(name).addEventListener("keydown", (event) => {
      const p = plot(), steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      if (!p) return;
      if (event.key === "Escape") { cursor.from = null; clearBrush(p); event.preventDefault(); return; }
      const step = steps[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      if (cursor.i == null) { cursor.i = Math.round((p.x0 + p.x1) / 2); cursor.j = p.y ? Math.round((p.y0 + p.y1) / 2) : null; }
      if (event.shiftKey && !cursor.from) cursor.from = { i: cursor.i, j: cursor.j };
      if (!event.shiftKey) cursor.from = null;
      cursor.i = clamp(cursor.i + step[0], p.x0, p.x1);
      if (p.y) cursor.j = clamp(cursor.j + step[1], p.y0, p.y1);
      if (cursor.from) applyBrush(p, cursor.from, cursor);
      const bounds = $(name).getBoundingClientRect();
      const px = bounds.left + p.inner.left + ((cursor.i - p.x0 + 0.5) / (p.x1 - p.x0 + 1)) * p.inner.width;
      const py = p.y ? bounds.top + p.inner.top + (1 - (cursor.j - p.y0 + 0.5) / (p.y1 - p.y0 + 1)) * p.inner.height : bounds.top + p.inner.top + p.inner.height / 2;
      tip(p, cursor, px, py, true);
    });
  }

  function tip(plot, at, x, y, spoken) {
    let box = $("tip");
    if (!box) { box = make("div", { id: "vf-tip", class: "vf-tip", role: "status" }); $("explorer").append(box); }
    const m = metric(), rows = [[plainName(plot.x), plot.x.text(at.i) + (plot.x.unit ? ` ${plot.x.unit}` : "")]];
    const add = (label, part, k) => {
      const half = part.half && !Number.isNaN(part.half[k]) ? ` ± ${number(Math.abs(part.half[k] * m.scale))}` : "";
      rows.push([label, number(part.value[k] * m.scale) + half, true]);
      if (part.rows && view.metric !== about.count) rows.push(["rows", whole(part.rows[k])]);
      if (part.coverage) rows.push(["coverage", share(part.coverage[k]) || "–"]);
    };
    if (plot.y) {
      rows.push([plainName(plot.y), plot.y.text(at.j) + (plot.y.unit ? ` ${plot.y.unit}` : "")]);
      const k = at.j * plot.panel.nx + at.i;
      if (Number.isNaN(plot.panel.value[k]) && (!plot.panel.rows || Number.isNaN(plot.panel.rows[k]))) rows.push(["", "no rows"]);
      else add(m.label, plot.panel, k);
    } else for (const line of plot.lines) add(plot.lines.length > 1 || line.name ? named(line.name) : m.label, line, at.i);
    box.replaceChildren(make("dl", {}, ...rows.map(([term, value, strong]) => make("div", { class: strong ? "vf-strong" : "" }, make("dt", {}, term), make("dd", {}, value)))));
    box.hidden = false;
    box.setAttribute("aria-live", spoken ? "polite" : "off");
    const wide = box.offsetWidth, high = box.offsetHeight;
    box.style.left = `${clamp(x + 14 + wide > innerWidth ? x - wide - 14 : x + 14, 4, Math.max(4, innerWidth - wide - 4))}px`;
    box.style.top = `${clamp(y + 14 + high > innerHeight ? y - high - 14 : y + 14, 4, innerHeight - high - 4)}px`;
  }

  function hideTip() { const box = $("tip"); if (box) box.hidden = true; }

  // ---- filters in the side bar ----------------------------------------------------------------------------------------

  const filterDrawers = [];

  function buildFilters() {
    const box = $("filters");
    box.replaceChildren();
    for (const axis of [dates, ...axes.values()]) {
      if (axis.n < 2) continue;
      box.append(axis.kind === "category" ? chips(axis) : slider(axis));
    }
  }

  function histogram(axis) {
    const ns = "http://www.w3.org/2000/svg", svg = document.createElementNS(ns, "svg");
    svg.setAttribute("viewBox", `0 0 ${axis.n} 100`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    if (axis.rows) {
      const most = Math.max(1, ...axis.rows);
      let d = "";
      axis.rows.forEach((v, i) => { if (v) d += `M${i} 100V${(100 - Math.max(3, (100 * v) / most)).toFixed(1)}H${i + 1}V100Z`; });
      const path = document.createElementNS(ns, "path");
      path.setAttribute("d", d);
      svg.append(path);
    }
    return svg;
  }

  function slider(axis) {
    const label = axis.kind === "date" ? "Dates" : axis.title, output = make("output", {});
    const ends = [0, 1].map((end) => make("input", {
      type: "range", min: 0, max: axis.n - 1, step: 1, value: end ? axis.n - 1 : 0,
      "aria-label": `${label}, ${end ? "last" : "first"}`, "data-dim": axis.name, "data-end": end ? "high" : "low",
      oninput: () => {
        const pair = ends.map((e) => Number(e.value));
        if (pair[0] > pair[1]) pair[end ? 0 : 1] = pair[end];
        setRange(axis.name, pair);
        viewChanged();
      },
    }));
    const track = make("div", { class: "vf-range" }, histogram(axis), make("div", { class: "vf-fill" }), ...ends);
    const clear = make("button", { type: "button", class: "vf-x", title: `Let all of ${label} through`, "aria-label": `Clear the filter on ${label}`,
                                   onclick: () => { setRange(axis.name, null); viewChanged(); } }, "×");
    const group = make("div", { class: "vf-filter", role: "group", "aria-label": label, "data-dim": axis.name },
      make("div", { class: "vf-filter-head" }, make("span", {}, label), output, clear), track);
    filterDrawers.push(() => {
      const range = rangeOf(axis.name), [low, high] = range || [0, axis.n - 1];
      ends[0].value = low; ends[1].value = high;
      for (const [k, e] of ends.entries()) e.setAttribute("aria-valuetext", axis.text(k ? high : low));
      output.textContent = low === high ? axis.text(low) : `${axis.text(low)} … ${axis.text(high)}`;
      group.classList.toggle("vf-on", Boolean(range));
      clear.hidden = !range;
      const fill = track.children[1];
      fill.style.left = `${(100 * low) / axis.n}%`;
      fill.style.right = `${100 - (100 * (high + 1)) / axis.n}%`;
      // The lower knob lies on top where both stand at the right end, or neither could be moved.
      ends[0].style.zIndex = low > axis.n / 2 ? 3 : 2;
    });
    return group;
  }

  function chips(axis) {
    const most = 500;  // more would not be read one by one; a brush takes neighbours
    const buttons = axis.keys.slice(0, most).map((key) => make("button", { type: "button", class: "vf-chip", "data-key": key, title: named(key), onclick: () => {
      const now = new Set(view.where[axis.name] || []);
      if (now.has(key)) now.delete(key); else now.add(key);
      const kept = axis.keys.filter((k) => now.has(k));
      if (!kept.length || kept.length === axis.n) delete view.where[axis.name]; else view.where[axis.name] = kept;
      viewChanged();
    } }, named(key)));
    const all = make("button", { type: "button", class: "vf-chip", onclick: () => { delete view.where[axis.name]; viewChanged(); } }, "All");
    const group = make("div", { class: "vf-filter", role: "group", "aria-label": axis.title, "data-dim": axis.name },
      make("div", { class: "vf-filter-head" }, make("span", {}, axis.title)), make("div", { class: "vf-chips" }, all, ...buttons,
        ...(axis.n > most ? [make("span", { class: "vf-note" }, `and ${whole(axis.n - most)} more`)] : [])));
    filterDrawers.push(() => {
      const wanted = view.where[axis.name];
      all.setAttribute("aria-pressed", String(!wanted));
      for (const button of buttons) button.setAttribute("aria-pressed", String(Boolean(wanted && wanted.includes(button.dataset.key))));
      group.classList.toggle("vf-on", Boolean(wanted));
    });
    return group;
  }

  function drawFilters() {
    for (const drawer of filterDrawers) drawer();
    const filters = Object.keys(view.where).length + (view.dates ? 1 : 0);
    $("clear").disabled = !filters;
    $("clear").textContent = filters ? `Clear ${filters} ${filters === 1 ? "filter" : "filters"}` : "Clear filters";
  }

  // ---- changes --------------------------------------------------------------------------------------------------------

  function viewChanged({ push = false } = {}) {
    const since = performance.now();
    standing = "";
    drawFilters();
    for (const name of Object.keys(plots)) placeBrush(name);
    writeAddress(push);
    ask(since);
  }

  function fillSelects() {
    const fill = (id, options, value, change) => {
      const select = $(id);
      select.replaceChildren(...options.map(([key, label]) => make("option", { value: key }, label)));
      select.value = value;
      select.onchange = () => change(select.value);
    };
    const dims = about.axes.map((a) => [a.name, a.title]);
    fill("metric", about.metrics.map((m) => [m.name, m.label]), view.metric, (v) => { view.metric = v; viewChanged({ push: true }); });
    const swap = (mine, other) => (v) => {
      if (v === view[other] && dims.length > 1) { view[other] = view[mine]; $(other).value = view[other]; }
      view[mine] = v;
      viewChanged({ push: true });
    };
    fill("x", dims, view.x, swap("x", "y"));
    fill("y", dims, view.y, swap("y", "x"));
    fill("by", [["", "one line"], ...dims], view.by, (v) => { view.by = v; viewChanged({ push: true }); });
    fill("extent", [["core", "99.9 % of rows"], ["all", "all bins"], ["brush", "the brush"]], view.extent,
      (v) => { view.extent = v; redrawAll(); writeAddress(true); });
    const least = $("min");
    least.value = view.min;
    least.onchange = () => { view.min = Math.max(0, Math.round(Number(least.value) || 0)); least.value = view.min; viewChanged({ push: true }); };
    $("min-field").hidden = !about.count;
  }

  function redrawAll() {
    for (const [name, drawer] of [["heat", drawHeat], ["curve", drawCurve], ["series", drawSeries]]) {
      if (shown.panels[name]) redraw(name, drawer);
    }
  }

  function setTheme(name, keep) {
    document.documentElement.dataset.theme = name;
    colours = about.themes[name];
    $("theme").textContent = name === "dark" ? "Light" : "Dark";
    $("theme").setAttribute("aria-pressed", String(name === "dark"));
    if (keep) { try { localStorage.setItem("vizflow-theme", name); } catch { /* private windows keep nothing */ } }
    redrawAll();
  }

  function wantedTheme() {
    const asked = new URLSearchParams(location.search).get("theme");
    if (asked === "dark" || asked === "light") return asked;
    try { const kept = localStorage.getItem("vizflow-theme"); if (kept === "dark" || kept === "light") return kept; } catch { /* none */ }
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  function shiftDates(by) {
    const range = rangeOf("date");
    if (!range) return;
    const d = clamp(by, -range[0], dates.n - 1 - range[1]);
    setRange("date", [range[0] + d, range[1] + d]);
    viewChanged();
  }

  const KEYS = [
    ["m", "choose the metric", () => $("metric").focus()], ["x", "choose what goes across", () => $("x").focus()],
    ["y", "choose what goes up", () => $("y").focus()], ["l", "choose the lines", () => $("by").focus()],
    ["[", "dates one day back", () => shiftDates(-1)], ["]", "dates one day on", () => shiftDates(1)],
    ["{", "dates back by the brush's width", () => { const r = rangeOf("date"); if (r) shiftDates(r[0] - r[1] - 1); }],
    ["}", "dates on by the brush's width", () => { const r = rangeOf("date"); if (r) shiftDates(r[1] - r[0] + 1); }],
    ["c", "clear all filters", () => clearAll()], ["t", "go to the table", () => $("table").focus()],
    ["e", "save the table as CSV", () => $("csv").click()], ["d", "light or dark", () => $("theme").click()],
    ["?", "these keys", () => toggleHelp()],
  ];

  function clearAll() { view.where = {}; view.dates = null; viewChanged({ push: true }); }

  function toggleHelp(open = $("help").hidden) {
    const box = $("help");
    if (!box.firstChild) {
      const more = [["arrows in a plot", "read its cells"], ["Shift + arrows", "brush"], ["Esc in a plot", "clear its brush"]];
      box.append(make("div", {}, make("h2", {}, "Keys"),
        make("dl", {}, ...[...KEYS.map(([k, text]) => [k, text]), ...more].map(([k, text]) => make("div", {}, make("dt", {}, make("kbd", {}, k)), make("dd", {}, text)))),
        make("p", {}, "Drag in a plot to brush, drag the brush to move it, click to clear it. Each plot ignores the filters on its own axes and shows them as a frame; all others heed them."),
        make("button", { type: "button", id: "vf-help-close", onclick: () => toggleHelp(false) }, "Close")));
    }
    box.hidden = !open;
    if (open) $("help-close").focus(); else $("help-open").focus();
  }

  function watch() {
    for (const name of ["heat", "curve", "series"]) watchPlot(name);
    $("clear").onclick = clearAll;
    $("theme").onclick = () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark", true);
    $("help-open").onclick = () => toggleHelp();
    $("link").onclick = async () => {
      clearTimeout(addressTimer);
      history.replaceState(null, "", address());
      let text = "Copied";
      try { await navigator.clipboard.writeText(location.href); } catch { text = "The address bar has it"; }
      $("link").textContent = text;
      setTimeout(() => { $("link").textContent = "Copy link"; }, 1600);
    };
    document.addEventListener("pointerdown", (event) => { if (!event.target.closest(".vf-plot-box")) hideTip(); }, true);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !$("help").hidden) { toggleHelp(false); return; }
      if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
      const found = KEYS.find(([key]) => key === event.key);
      if (found) { event.preventDefault(); found[2](); }
    });
    addEventListener("popstate", () => { view = readAddress(); fillSelects(); viewChangedQuietly(); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(wantedTheme()));
    let timer = 0;
    new ResizeObserver(() => { clearTimeout(timer); timer = setTimeout(() => { redrawAll(); }, 60); }).observe($("heat").closest(".vf-main"));
  }

  function viewChangedQuietly() { drawFilters(); ask(); }

  async function start() {
    base = $("explorer").dataset.base || "/";
    const response = await fetch(base + "_vizflow/about");
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    about = await response.json();
    axes = new Map(about.axes.map((a) => [a.name, readAxis(a)]));
    dates = dateAxis();
    metrics = new Map(about.metrics.map((m) => [m.name, m]));
    colours = about.themes[wantedTheme()];
    $("min-field").append(make("input", { type: "number", id: "vf-min", min: 0, step: 1, inputmode: "numeric" }));
    view = readAddress();
    setTheme(wantedTheme());
    const first = about.dates[0], last = about.dates[about.dates.length - 1];
    $("summary").textContent = dates.n ? `${whole(dates.n)} ${dates.n === 1 ? "date" : "dates"}, ${isoDate(first)} to ${isoDate(last)}` : "dates merged";
    $("series-panel").hidden = !dates.n;
    fillSelects();
    buildFilters();
    drawFilters();
    watch();
    ask();
  }

  window.vizflow = {
    timing, shown, plots, ask, view: () => view, about: () => about,
    idle: () => Boolean(view) && !busy && again == null && !tableWaits && timing.length > 0,
  };

  // Dash renders the layout after this script is read.
  const wait = setInterval(() => {
    if (!document.getElementById("vf-explorer") || !window.Plotly) return;
    clearInterval(wait);
    start().catch((error) => trouble(`The page could not start: ${error.message}`));
  }, 15);
})();
