"use strict";
(() => {
  const controls = [...document.querySelectorAll(".controls select")];
  const slots = [...document.querySelectorAll(".slot")];
  const templates = [...document.querySelectorAll("template.figure")];
  const rows = [...document.querySelectorAll("tbody tr")];

  const chosen = () => {
    const choice = {};
    for (const control of controls) {
      choice[control.name] = control.value;
      Object.assign(choice, control.selectedOptions[0]?.dataset);
    }
    return choice;
  };

  // What an element says about a choice must agree with it; what it does not say is free.
  const agrees = (element, choice) =>
    Object.entries(choice).every(([name, value]) => (element.dataset[name] ?? value) === value);

  const showFigures = (choice) => {
    for (const slot of slots) {
      const found = templates.filter((one) => one.dataset.slot === slot.dataset.slot && agrees(one, choice));
      const wanted = found.map((one) => one.dataset.number).join(" ");
      if (slot.dataset.shown === wanted) continue;
      slot.dataset.shown = wanted;
      slot.replaceChildren(...found.map((one) => one.content.cloneNode(true)));
      if (!found.length && slot.dataset.empty) {
        const note = document.createElement("p");
        note.className = "note";
        note.textContent = slot.dataset.empty;
        slot.append(note);
      }
    }
  };

  const showRows = (choice) => {
    for (const row of rows) row.hidden = !agrees(row, choice);
    for (const table of document.querySelectorAll("table[data-empty]")) {
      const some = [...table.tBodies[0].rows].some((row) => !row.hidden);
      table.parentElement.hidden = !some;
      table.parentElement.nextElementSibling.hidden = some;
    }
  };

  const show = () => {
    const choice = chosen();
    showFigures(choice);
    showRows(choice);
  };
  for (const control of controls) control.addEventListener("change", show);

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };
  const compare = (one, other) =>
    typeof one === "number" && typeof other === "number"
      ? one < other ? -1 : one > other ? 1 : 0
      : String(one).localeCompare(String(other), "en", { numeric: true });
  const sort = (header) => {
    const table = header.closest("table");
    const column = header.cellIndex;
    const descending = header.getAttribute("aria-sort") === "ascending";
    for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = table.tBodies[0];
    const undefinedLast = (row) => Number.isNaN(value(row, column));
    const sorted = [...body.rows].sort((one, other) => {
      const [last, otherLast] = [undefinedLast(one), undefinedLast(other)];
      if (last || otherLast) return last - otherLast;
      const order = compare(value(one, column), value(other, column));
      return descending ? -order : order;
    });
    body.append(...sorted);
  };
  for (const button of document.querySelectorAll("th button")) {
    button.addEventListener("click", () => sort(button.closest("th")));
  }

  const theme = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => {
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
    theme.setAttribute("aria-pressed", String(isDark()));
  };
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  system.addEventListener("change", nameTheme);
  nameTheme();
  show();
})();
