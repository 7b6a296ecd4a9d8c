"use strict";

const { PassThrough } = require("node:stream");
const { createInterface } = require("node:readline");

const MARK = '{"__offline_payload__":';
const NOTHING = /^{"__offline_payload__": (null|false|0|"")}$/;

// What the runner is told when there is no result to tell.
const failure = (errorType, errorMessage) =>
  `${MARK}${JSON.stringify({ errorType, errorMessage })}}\n`;

/**
 * Stand between a Python process and serverless-offline's runner.
 *
 * The runner waits for a line of standard output that holds a true result, and
 * for nothing else: it waited in vain, until the function's timeout, for a
 * process that had died, a result of None, and a result that followed output
 * without a newline. What Python wrote between two requests, and most of what
 * it wrote to standard error, was lost.
 */
module.exports = function watchPython(child) {
  const lines = createInterface({ input: child.stdout });
  const results = new PassThrough();
  child.stderr.pipe(process.stderr, { end: false });
  lines.on("line", (line) => {
    const at = line.indexOf(MARK);
    if (at !== 0) console.log(at < 0 ? line : line.slice(0, at));
    if (at < 0) return;
    results.write(
      NOTHING.test(line.slice(at))
        ? failure("Runtime.NoResult", "The handler returned no result")
        : `${line.slice(at)}\n`,
    );
  });

  let ending = "It could not be started";
  const dead = () =>
    results.write(failure("Runtime.ExitError", `Python died. ${ending}`));
  child.on("error", (error) => {
    ending = `It could not be started: ${error.message}`;
  });
  child.on("exit", (status, signal) => {
    ending = signal ? `Signal: ${signal}` : `Exit status: ${status}`;
  });
  child.on("close", () => {
    dead();
    // A later request finds it dead: writing to it is answered at once.
    child.stdin = { write: dead };
  });
  // Writing to a process that is about to be reaped.
  child.stdin.on("error", () => {});

  child.stdout = results;
  child.stderr = new PassThrough();
  return child;
};
