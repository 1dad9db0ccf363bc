/** The lists of items, users and notifications, each with the tasks it caused. */

import { pages } from "../api.js";
import { h } from "../dom.js";
import { bytes, number } from "../format.js";
import { region } from "../parts/region.js";
import { button, empty, unseen, wrong } from "../parts/pieces.js";
import { badge } from "../parts/status.js";
import { table, tasksAbout } from "../parts/table.js";
import { to } from "../router.js";
import { age } from "../times.js";

const PAGE = 50;

export const itemsView = (shown) => listView(shown, {
  title: "Items", path: "/items", none: "No items yet. One comes into being when an upload or a request names it.",
  columns: ["Item", "Images", "Variants", "Size", "Last action", "Created", "Tasks"],
  cells: (item) => [
    h("strong", {}, item.id), number(item.image_count), number(item.variant_count), bytes(item.total_bytes),
    item.last_action ? [item.last_action, " ", h("small", {}, age(item.last_action_at))] : "–", age(item.created_at),
    tasksOf("item", item.id),
  ],
});

export const usersView = (shown) => listView(shown, {
  title: "Users", path: "/users", none: "No users yet.",
  columns: ["Address", "Name", "Created", "Tasks"],
  cells: (user) => [h("strong", {}, user.email), user.name ?? "–", age(user.created_at), tasksOf("user", user.id, user.email)],
});

export const notificationsView = (shown) => listView(shown, {
  title: "Notifications", path: "/notifications", none: "No notifications yet.",
  columns: ["Recipient", "Subject", "Channel", "Status", "Created", "Task"],
  cells: (one) => [
    h("strong", {}, one.recipient), one.subject || "–", one.channel,
    [badge(one.status), one.error && wrong(one.error)],
    age(one.created_at), h("a", { href: to("tasks", one.task_id) }, "task", unseen(` that sends to ${one.recipient}`)),
  ],
});

const tasksOf = (type, id, name = id) => h("a", { href: tasksAbout(type, id) }, "tasks", unseen(` of ${type} ${name}`));

function listView(shown, { title, path, none, columns, cells }) {
  let wanted = PAGE;
  const more = () => {
    wanted += PAGE;
    list.refresh();
  };
  const list = region(shown, {
    load: (signal) => pages(path, {}, wanted, signal),
    draw: ({ items, next }) => [
      items.length ? table(title, columns, items.map((item) => ({ key: item.id, cells: cells(item) }))) : empty(none),
      next && h("p", { class: "actions centred" }, button("Show more", more)),
    ].filter(Boolean),
    on: ["task"], gap: 2000,
  });
  return { title, elements: [h("h1", {}, title), list.element] };
}
