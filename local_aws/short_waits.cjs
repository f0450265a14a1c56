// Preloaded into the CDK CLI: it asks CloudFormation every five seconds how a deployment stands, and
// the local AWS has long answered. Only waits are shortened: timeouts of requests are longer.
"use strict";

const SHORTENED = { from: 500, to: 30_000, by: 20 };

const wait = globalThis.setTimeout;

function shortWait(callback, milliseconds, ...rest) {
  const shortened = milliseconds >= SHORTENED.from && milliseconds <= SHORTENED.to;
  return wait(callback, shortened ? milliseconds / SHORTENED.by : milliseconds, ...rest);
}

// With setTimeout's other members, such as the one that promisify uses.
globalThis.setTimeout = Object.defineProperties(
  shortWait,
  Object.getOwnPropertyDescriptors(wait),
);
