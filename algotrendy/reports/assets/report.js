// Draws every chart of the page in the colours of the reader's theme, and redraws when the theme changes.
(function () {
  "use strict";

  const darkTheme = window.matchMedia("(prefers-color-scheme: dark)");
  const darkSwaps = JSON.parse(document.getElementById("dark-swaps").textContent);
  const config = {
    responsive: true,
    displaylogo: false,
    displayModeBar: "hover",
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
  };
  const charts = Array.from(document.querySelectorAll(".canvas"), function (canvas) {
    return { canvas: canvas, figure: JSON.parse(document.getElementById(canvas.id + "-figure").textContent) };
  });

  function inTheme(value, swaps) {
    if (typeof value === "string") {
      return Object.hasOwn(swaps, value) ? swaps[value] : value;
    }
    if (Array.isArray(value)) {
      return value.map(function (item) { return inTheme(item, swaps); });
    }
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(function (pair) {
        return [pair[0], inTheme(pair[1], swaps)];
      }));
    }
    return value;
  }

  function pageColor(name, dark) {
    const style = getComputedStyle(document.documentElement);
    return style.getPropertyValue(dark ? "--dark-" + name : "--light-" + name).trim();
  }

  let onPaper = false;
  const paperWidth = 680; // pixels: fits A4 and Letter with their margins

  function dressed(figure, dark) {
    const swaps = dark ? darkSwaps : {};
    const layout = inTheme(figure.layout, swaps);
    const ink = pageColor("ink", dark), soft = pageColor("soft", dark);
    const line = pageColor("line", dark), card = pageColor("card", dark);
    layout.autosize = !onPaper;
    delete layout.width;
    if (onPaper) {
      layout.width = paperWidth;
    }
    delete layout.height;
    layout.paper_bgcolor = "rgba(0,0,0,0)";
    layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = Object.assign({ size: 12 }, layout.font, {
      color: soft, family: getComputedStyle(document.body).fontFamily,
    });
    layout.hoverlabel = { bgcolor: card, bordercolor: line, font: { color: ink } };
    layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: soft, activecolor: ink };
    const axes = Object.keys(layout).filter(function (key) { return /^[xy]axis\d*$/.test(key); });
    for (const key of new Set(axes.concat(["xaxis", "yaxis"]))) {
      layout[key] = Object.assign({ automargin: true }, layout[key], {
        gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line,
      });
    }
    return { data: inTheme(figure.data, swaps), layout: layout };
  }

  function draw(chart, dark) {
    const figure = dressed(chart.figure, dark);
    return Plotly.react(chart.canvas, figure.data, figure.layout, config);
  }

  function drawAll(dark) {
    return Promise.all(charts.map(function (chart) {
      return Promise.resolve().then(function () { return draw(chart, dark); }).catch(function (error) {
        chart.canvas.textContent = "This chart could not be drawn: " + error.message;
        console.error(error);
      });
    }));
  }

  function setPath(target, path, value) {
    const keys = path.split(".");
    const last = keys.pop();
    for (const key of keys) {
      target = target[key] = target[key] || {};
    }
    target[last] = value;
  }

  function press(button) {
    const chart = charts.find(function (item) { return item.canvas.id === button.dataset.chart; });
    const changes = JSON.parse(button.dataset.layout);
    for (const path of Object.keys(changes)) {
      setPath(chart.figure.layout, path, changes[path]);
    }
    for (const other of button.parentElement.children) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    draw(chart, darkTheme.matches);
  }

  for (const button of document.querySelectorAll("button[data-chart]")) {
    button.addEventListener("click", function () { press(button); });
  }
  darkTheme.addEventListener("change", function () { drawAll(darkTheme.matches); });
  window.addEventListener("beforeprint", function () { onPaper = true; drawAll(false); });
  window.addEventListener("afterprint", function () { onPaper = false; drawAll(darkTheme.matches); });
  drawAll(darkTheme.matches).then(function () { document.documentElement.dataset.drawn = "true"; });
})();
