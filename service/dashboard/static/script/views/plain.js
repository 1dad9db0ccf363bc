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
    h("a", { href: tasksAbout("item", item.id) }, "tasks", unseen(` of item ${item.id}`)),
  ],
});

/** What a user caused are messages, known by their recipient: the newest ones are looked through. */
export const usersView = (shown) => listView(shown, {
  title: "Users", path: "/users", none: "No users yet.",
  columns: ["Address", "Name", "Created", "Newest message"],
  load: async (wanted, signal) => {
    const [users, messages] = await Promise.all([pages("/users", {}, wanted, signal), pages("/notifications", {}, 100, signal)]);
    const newest = new Map(messages.items.reverse().map((one) => [one.recipient, one]));
    return { ...users, items: users.items.map((user) => ({ ...user, message: newest.get(user.email) })) };
  },
  cells: ({ email, name, created_at: created, message }) =>
    [h("strong", {}, email), name ?? "–", age(created), message ? [badge(message.status), " ", taskOf(message)] : "–"],
});

export const notificationsView = (shown) => listView(shown, {
  title: "Notifications", path: "/notifications", none: "No notifications yet.",
  columns: ["Recipient", "Subject", "Channel", "Status", "Created", "Task"],
  cells: (one) => [
    h("strong", {}, one.recipient), one.subject || "–", one.channel,
    [badge(one.status), one.error && wrong(one.error)],
    age(one.created_at), taskOf(one),
  ],
});

const taskOf = (message) =>
  h("a", { href: to("tasks", message.task_id) }, "task", unseen(` that sends to ${message.recipient}`));

function listView(shown, { title, path, none, columns, cells, load = (wanted, signal) => pages(path, {}, wanted, signal) }) {
  let wanted = PAGE;
  const more = () => {
    wanted += PAGE;
    list.refresh();
  };
  const list = region(shown, {
    load: (signal) => load(wanted, signal),
    draw: ({ items, next }) => [
      items.length ? table(title, columns, items.map((item) => ({ key: item.id, cells: cells(item) }))) : empty(none),
      next && h("p", { class: "actions centred" }, button("Show more", more)),
    ].filter(Boolean),
    on: ["task"], gap: 2000,
  });
  return { title, elements: [h("h1", {}, title), list.element] };
}
