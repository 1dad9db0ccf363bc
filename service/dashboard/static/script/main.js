/** The page: one view at a time, what is live, and what is being sent. */

import { get } from "./api.js";
import { h } from "./dom.js";
import { capped } from "./format.js";
import { Live } from "./live.js";
import { region } from "./parts/region.js";
import { say } from "./parts/notices.js";
import { sign } from "./parts/status.js";
import { startRouter, to } from "./router.js";
import { startTicking } from "./times.js";
import { Uploads } from "./uploads.js";
import { activityView } from "./views/activity.js";
import { imageView } from "./views/image.js";
import { imagesView } from "./views/images.js";
import { itemsView, notificationsView, usersView } from "./views/plain.js";
import { taskView } from "./views/task.js";
import { tasksView } from "./views/tasks.js";

/** By the first word of the address: the view of all, and the view of one. */
const VIEWS = {
  images: [imagesView, imageView],
  activity: [activityView],
  tasks: [tasksView, taskView],
  items: [itemsView],
  users: [usersView],
  notifications: [notificationsView],
};

const live = new Live();
const uploads = new Uploads();
const main = document.getElementById("main");
let current = null;

/** @param {Place} place */
function show(place) {
  const [all, one] = VIEWS[place.view] ?? VIEWS.images;
  const view = place.id && one ? one : all;
  if (current?.view === view && current.id === place.id && current.follow) return current.follow(place);
  current?.leaving.abort();
  const first = current === null;
  const leaving = new AbortController();
  current = { view, id: place.id, leaving, ...view({ live, uploads, signal: leaving.signal }, place) };
  document.title = `${current.title} · Pixmill`;
  main.replaceChildren(...current.elements);
  mark(place.view);
  if (first) return;
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

/** Which of the views this is, for eyes and ears. */
function mark(view) {
  for (const link of document.querySelectorAll("header nav a")) {
    const [, , word = "images"] = link.pathname.split("/");
    link.removeAttribute("aria-current");
    if (word !== view) continue;
    link.setAttribute("aria-current", "page");
    link.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

/** Whether the page hears of what happens. */
function showState() {
  const pulse = document.getElementById("pulse");
  pulse.className = `pulse is-${live.state}`;
  pulse.replaceChildren(h("span", { class: "dot", "aria-hidden": "true" }), live.state);
}

/** How much there is to do, beside the dot. */
function showDepth() {
  const shown = { live, uploads, signal: new AbortController().signal };
  const { element } = region(shown, {
    tag: "p", props: { class: "depth", "aria-label": "Tasks" }, on: ["task"], gap: 1500,
    load: () => get("/tasks/overview").catch(() => ({ statuses: [] })),
    draw: ({ statuses }) => statuses
      .filter(({ status, count }) => count && ["running", "queued", "retrying", "failed"].includes(status))
      .map(({ status, count, capped: more }) =>
        h("a", { class: `is-${status}`, href: to("tasks", "", `?status=${status}`) }, sign(status), `${capped(count, more)} ${status}`)),
  });
  document.getElementById("pulse").before(element);
}

async function start() {
  live.addEventListener("state", showState);
  showState();
  const lost = uploads.interrupted();
  if (lost.length) {
    say(`The page was left before it had sent ${lost.join(", ")}. What is not among the images has to be chosen again.`);
  }
  live.start();
  await live.ready;
  startRouter(show);
  startTicking();
  showDepth();
}

start();
