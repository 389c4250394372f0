// Asks for the dashboard's data again and again, and shows them.
"use strict";

const dashboard = document.getElementById("dashboard");
const freshness = document.getElementById("freshness");
const BAD = /^(down|late|open)/;
const LIMIT_MS = 5000;

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

function place(number) {
  const id = `plot-${number}`;
  const found = document.getElementById(id);
  if (found) return found;
  const made = document.createElement("div");
  made.id = id;
  made.className = "plot";
  document.getElementById("plots").append(made);
  return made;
}

function draw(plot, number) {
  const ink = getComputedStyle(dashboard).color;
  const layout = {
    title: { text: plot.title, font: { size: 14 } },
    margin: { t: 40, r: 10, b: 40, l: 50 },
    xaxis: { type: "date" },
    yaxis: { rangemode: "tozero", title: { text: plot.unit } },
    legend: { orientation: "h", y: -0.3 },
    showlegend: plot.lines.length > 1,
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { color: ink },
  };
  const lines = plot.lines.map((line) => ({ ...line, mode: "lines" }));
  Plotly.react(place(number), lines, layout, { displayModeBar: false, responsive: true });
}

async function refresh() {
  try {
    const answer = await fetch(dashboard.dataset.source, { signal: AbortSignal.timeout(LIMIT_MS) });
    if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
    const data = await answer.json();
    for (const name of ["services", "count_job", "schedule"]) fillTable(name, data[name]);
    data.plots.forEach(draw);
    freshness.textContent = `As of ${new Date().toLocaleTimeString()}`;
    freshness.classList.remove("bad");
  } catch (error) {
    freshness.textContent = `No new data: ${error.message}`;
    freshness.classList.add("bad");
  } finally {
    setTimeout(refresh, dashboard.dataset.seconds * 1000);
  }
}

refresh();
