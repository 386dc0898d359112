// Checks of a dashboard that types can't express: duplicate ids, and panels that overlap or leave the grid.
// Prints each fault, and exits with 1 if there is one.
import { readFileSync } from "node:fs";

const { panels } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const faults = [];

const twice = (names) => names.filter((name, index) => names.indexOf(name) !== index);
for (const id of twice(panels.map((panel) => panel.id))) {
  faults.push(`two panels have the id ${id}`);
}

const overlap = (one, other) =>
  one.x < other.x + other.w && other.x < one.x + one.w && one.y < other.y + other.h && other.y < one.y + one.h;
panels.forEach((panel, index) => {
  const { x, w } = panel.gridPos;
  if (x < 0 || x + w > 24) faults.push(`${panel.title} is outside of the grid`);
  const hidden = panels.slice(index + 1).find((other) => overlap(panel.gridPos, other.gridPos));
  if (hidden) faults.push(`${panel.title} overlaps ${hidden.title}`);
  for (const id of twice((panel.targets ?? []).map((target) => target.refId))) {
    faults.push(`${panel.title} has two queries ${id}`);
  }
});

faults.forEach((fault) => console.error(fault));
process.exit(faults.length === 0 ? 0 : 1);
