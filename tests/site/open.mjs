// Opens every page of the built site in headless Chromium, as a desktop and as a phone, and exits
// with 1 if a diagram is not drawn, something is fetched from elsewhere, a table or an identifier
// in one is cut, or a link is broken: node open.mjs SITE [FOLDER FOR SCREENSHOTS]

import { createServer } from "node:http";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join, resolve } from "node:path";

// Lets the package unpack the libraries that its Chromium needs: a bare machine lacks some.
process.env.AWS_EXECUTION_ENV ??= "AWS_Lambda_nodejs22.x";
const { default: chromium } = await import("@sparticuz/chromium");
const { default: puppeteer } = await import("puppeteer-core");

const site = resolve(process.argv[2]);
const screenshots = process.argv[3];
const SCREENS = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml" };
const PAGES_AT_ONCE = 4;

const pages = readdirSync(site, { recursive: true }).filter((file) => file.endsWith(".html")).sort();
const problems = [];
const ids = new Map();
const links = [];

const server = createServer((request, answer) => {
  try {
    const path = decodeURIComponent(new URL(request.url, "http://site").pathname);
    const body = readFileSync(join(site, path));
    answer.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? "application/octet-stream" }).end(body);
  } catch {
    answer.writeHead(404).end();
  }
}).listen(0, "127.0.0.1");
await new Promise((listening) => server.once("listening", listening));
const origin = `http://127.0.0.1:${server.address().port}`;

// Run in the page. A diagram is drawn in a closed shadow root: its size shows that it is there.
function drawn() {
  return [...document.querySelectorAll("div.mermaid")].filter(
    (diagram) => diagram.getBoundingClientRect().height > 60,
  ).length;
}

function look(isPhone) {
  const found = [];
  for (const image of document.images) {
    if (!image.naturalWidth) found.push(`${image.getAttribute("src")} is not shown`);
  }
  if (document.documentElement.scrollWidth > window.innerWidth) found.push("the page is wider than the screen");
  for (const table of document.querySelectorAll(".md-content table:not([class])")) {
    const name = table.innerText.slice(0, 40).replace(/\s+/g, " ");
    let box = table.parentElement;
    while (box && getComputedStyle(box).overflowX === "visible") box = box.parentElement;
    const scrolls = !isPhone && ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
    if (!scrolls && table.getBoundingClientRect().right > box.getBoundingClientRect().right + 1) {
      found.push(`a table is cut: ${name}`);
    }
    for (const cell of table.querySelectorAll("td")) {
      if (cell.scrollWidth > cell.clientWidth + 1) found.push(`a cell is cut: ${cell.innerText.slice(0, 60)}`);
    }
    for (const code of table.querySelectorAll("td code")) {
      if (!isPhone && /^[\w-]{2,40}$/.test(code.innerText) && code.getClientRects().length > 1) {
        found.push(`${code.innerText} breaks in the middle`);
      }
    }
  }
  return {
    found: [...new Set(found)],
    ids: [...document.querySelectorAll("[id]")].map((element) => element.id),
    links: [...document.querySelectorAll("a[href]")].map((link) => link.href),
  };
}

async function open(browser, file, screen) {
  const where = `${file} (${screen})`;
  const page = await browser.newPage();
  await page.setViewport({ ...SCREENS[screen], isMobile: screen === "phone", hasTouch: screen === "phone" });
  await page.setRequestInterception(true);
  page.on("request", (request) => {
    const isOurs = request.url().startsWith(origin) || /^(data|blob):/.test(request.url());
    if (!isOurs) problems.push(`${where}: ${request.url()} is fetched`);
    return isOurs ? request.continue() : request.abort();
  });
  page.on("response", (answer) => {
    if (answer.status() >= 400) problems.push(`${where}: ${answer.url()} is missing`);
  });
  page.on("pageerror", (error) => problems.push(`${where}: ${error.message}`));
  await page.goto(`${origin}/${file}`, { waitUntil: "load" });
  const diagrams = readFileSync(join(site, file), "utf8").split('<pre class="mermaid">').length - 1;
  await page
    .waitForFunction(`(${drawn})() === ${diagrams}`, { timeout: 10_000 })
    .catch(() => problems.push(`${where}: a diagram is not drawn`));
  const seen = await page.evaluate(look, screen === "phone");
  problems.push(...seen.found.map((problem) => `${where}: ${problem}`));
  ids.set(`/${file}`, new Set(seen.ids));
  if (screen === "desktop") links.push(...seen.links.map((link) => [file, link]));
  if (screenshots) {
    const image = `${file.replaceAll("/", "-").replace(".html", "")}-${screen}.png`;
    await page.screenshot({ path: join(screenshots, image), fullPage: true });
  }
  await page.close();
  return diagrams;
}

function checkLinks() {
  for (const [file, link] of links) {
    const url = new URL(link);
    if (url.origin !== origin) continue;
    const path = decodeURIComponent(url.pathname);
    const anchor = decodeURIComponent(url.hash.slice(1));
    const isThere = statSync(join(site, path), { throwIfNoEntry: false })?.isFile();
    if (!isThere) problems.push(`${file}: ${path} does not exist`);
    else if (anchor && !anchor.startsWith("__") && !ids.get(path)?.has(anchor)) {
      problems.push(`${file}: ${path}#${anchor} does not exist`);
    }
  }
}

if (screenshots) mkdirSync(screenshots, { recursive: true });
const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(),
  headless: "shell",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update"],
});
let diagrams = 0;
try {
  const queue = pages.flatMap((file) => Object.keys(SCREENS).map((screen) => [file, screen]));
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) diagrams += await open(browser, ...next);
  };
  await Promise.all(Array.from({ length: PAGES_AT_ONCE }, worker));
} finally {
  await browser.close();
  server.close();
}
checkLinks();
if (!pages.length || !links.length || !diagrams) problems.push("no pages, links or diagrams were found");
for (const problem of [...new Set(problems)].sort()) console.error(problem);
process.exitCode = problems.length ? 1 : 0;
