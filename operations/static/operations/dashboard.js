// Fetches the data of the dashboard at regular intervals and shows them.
"use strict";

const dashboard = document.getElementById("dashboard");
const freshness = document.getElementById("freshness");
const BAD = /^(down|late|open)/;
const LIMIT_MS = 5000;
// A finger that moves over a plot scrolls the page; a mouse zooms.
const TOUCHED = matchMedia("(pointer: coarse)").matches;

function fillTable(name, rows) {
  const lines = rows.map((cells) => {
    const line = document.createElement("tr");
    for (const text of cells) {
      const cell = line.insertCell();
      cell.textContent = text;
      cell.classList.toggle("bad", BAD.test(text));
    }
    return line;
  });
  document.getElementById(name).replaceChildren(...lines);
}

// The element of the plot with this number, created below its title on the first call.
function plotElement(plot, number) {
  const id = `plot-${number}`;
  const found = document.getElementById(id);
  if (found) return found;
  const figure = document.createElement("figure");
  const title = document.createElement("figcaption");
  const made = document.createElement("div");
  title.textContent = plot.unit ? `${plot.title} (${plot.unit})` : plot.title;
  made.id = id;
  made.className = "plot";
  figure.append(title, made);
  document.getElementById("plots").append(figure);
  return made;
}

// Times are in UTC, and plotly shows them as they are.
function draw(plot, number, shown) {
  const ink = getComputedStyle(dashboard).color;
  const highest = Math.max(1, ...plot.lines.flatMap((line) => line.y));
  const axis = { ticks: "outside", fixedrange: TOUCHED };
  const layout = {
    margin: { t: 10, r: 20, b: 30, l: 45 },
    xaxis: { ...axis, type: "date", range: shown, tickformat: "%H:%M", nticks: 7 },
    yaxis: { ...axis, range: [0, 1.05 * highest], dtick: highest > 5 ? null : 1 },
    legend: { orientation: "h", x: 0, y: -0.15, yanchor: "top" },
    showlegend: plot.lines.length > 1,
    uirevision: "as before", // keeps the zoom and hidden lines
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { color: ink },
  };
  // Markers show a single sample between two gaps, which has no line.
  const style = { mode: "lines+markers", line: { width: 1.5 }, marker: { size: 2.5 } };
  const lines = plot.lines.map((line) => ({ ...line, ...style }));
  Plotly.react(plotElement(plot, number), lines, layout, { displayModeBar: false, responsive: true });
}

async function refresh() {
  try {
    const answer = await fetch(dashboard.dataset.source, { signal: AbortSignal.timeout(LIMIT_MS) });
    if (answer.redirected) return location.reload(); // to the login
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const data = await answer.json();
    for (const name of ["services", "count_job", "schedule"]) fillTable(name, data[name]);
    data.plots.forEach((plot, number) => draw(plot, number, data.shown));
    freshness.textContent = `As of ${new Date().toISOString().slice(11, 19)} UTC`;
    freshness.classList.remove("bad");
  } catch (error) {
    freshness.textContent = `No new data: ${error.message}`;
    freshness.classList.add("bad");
  } finally {
    setTimeout(refresh, dashboard.dataset.seconds * 1000);
  }
}

refresh();
