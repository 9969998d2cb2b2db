"use strict";
(() => {
  const NUMBER = /^([+-]?(?:\d[\d,]*)?\.?\d+(?:e[+-]?\d+)?)(?:\s*(?:%|±.*|to\s.*))?\s*[▲▼]?$/i;
  const GAPS = new Set(["", "-", "–", "unknown"]);

  function text(row, column) {
    return row.cells[column].textContent.trim().replace(/\s+/g, " ").replace(/−/g, "-");
  }

  function number(value) {
    const match = NUMBER.exec(value);
    return match ? Number(match[1].replace(/,/g, "")) : NaN;
  }

  // Gaps come last, whichever way figures are sorted; equal cells stay in the table's order.
  function sorted(rows, column, sign) {
    const values = new Map(rows.map((row) => [row, text(row, column)]));
    const present = rows.filter((row) => !GAPS.has(values.get(row)));
    const gaps = rows.filter((row) => GAPS.has(values.get(row)));
    const numeric = present.every((row) => !Number.isNaN(number(values.get(row))));
    present.sort((one, other) => {
      const [first, second] = [values.get(one), values.get(other)];
      return sign * (numeric ? number(first) - number(second) : first.localeCompare(second, "en", { numeric: true }));
    });
    return [...present, ...gaps];
  }

  function makeSortable(table) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const headings = [...table.querySelectorAll("th[data-column]")];
    for (const heading of headings) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      heading.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const next = { none: "ascending", ascending: "descending", descending: "none" }[heading.getAttribute("aria-sort")];
        for (const other of headings) other.setAttribute("aria-sort", "none");
        heading.setAttribute("aria-sort", next);
        const column = Number(heading.dataset.column);
        body.append(...(next === "none" ? original : sorted(original, column, next === "ascending" ? 1 : -1)));
      });
    }
  }

  // A link to a folded part opens it, and the parts around it.
  function reveal() {
    let element = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!element) return;
    for (let outer = element; outer; outer = outer.parentElement) if (outer.tagName === "DETAILS") outer.open = true;
    element.scrollIntoView();
  }

  for (const table of document.querySelectorAll("table.sortable")) makeSortable(table);
  addEventListener("hashchange", reveal);
  reveal();

  // Folded parts are printed too.
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("main section:not(#jobs) details")) part.open = true;
  });
})();
