// What the pages do by themselves: refresh the parts whose topic changed, count down, copy, show local times.
// Everything works without it by loading the page again.
"use strict";

const localTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function enliven(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = localTime.format(new Date(time.dateTime));
  }
  for (const button of root.querySelectorAll("button[data-copy]")) {
    if (!navigator.clipboard) continue; // only over HTTPS and on this machine
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = button.dataset.copied;
    });
  }
  for (const button of root.querySelectorAll("button[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
  for (const count of root.querySelectorAll("[data-countdown]")) {
    const end = performance.now() + 1000 * Number(count.dataset.countdown);
    const timer = setInterval(() => {
      const left = Math.max(0, Math.round((end - performance.now()) / 1000));
      count.textContent = left;
      if (left === 0 || !count.isConnected) clearInterval(timer);
    }, 250);
  }
}

function describe(element) {
  // Where a person is, in words that survive an exchange of the elements.
  return element.id || element.getAttribute("href") || element.getAttribute("aria-label") || element.textContent.trim();
}

function exchange(place, html) {
  const next = document.createElement("template");
  next.innerHTML = html;
  const open = [...place.querySelectorAll("details[open]")].map((details) => details.id);
  const focused = place.contains(document.activeElement) ? describe(document.activeElement) : null;
  for (const details of next.content.querySelectorAll("details")) details.open = open.includes(details.id);
  enliven(next.content);
  place.replaceChildren(next.content);
  if (focused) {
    const again = [...place.querySelectorAll("a, button, summary")].find((element) => describe(element) === focused);
    again?.focus({ preventScroll: true });
  }
}

const fetching = new Map(); // place -> "once" while a refresh runs, "again" when its topic changed meanwhile

async function refresh(place) {
  if (fetching.has(place)) {
    fetching.set(place, "again");
    return;
  }
  fetching.set(place, "once");
  try {
    const answer = await fetch(place.dataset.fragment, { headers: { Accept: "text/html" } });
    if (answer.redirected || answer.status === 401) return signIn();
    const html = await answer.text();
    if (answer.ok) exchange(place, html);
  } catch {
    // The gateway is away; the stream connects again and then everything is refreshed.
  } finally {
    const again = fetching.get(place) === "again";
    fetching.delete(place);
    if (again) refresh(place);
  }
}

function signIn(why = "") {
  location.assign(`/sign-in?${new URLSearchParams({ next: location.pathname, why })}`);
}

const places = [...document.querySelectorAll("[data-fragment]")];

function listen() {
  // What happened since the page was made, also while the stream was down, is told when it connects.
  const stream = new EventSource(`/api/v1/events?since=${document.documentElement.dataset.moment}`);
  for (const topic of new Set(places.flatMap((place) => place.dataset.topic.split(" ")))) {
    stream.addEventListener(topic, () => {
      places.filter((place) => place.dataset.topic.split(" ").includes(topic)).forEach(refresh);
    });
  }
  for (const end of ["ended", "locked"]) {
    stream.addEventListener(end, () => {
      stream.close();
      signIn(end);
    });
  }
}

enliven(document);
if (places.length) listen();
