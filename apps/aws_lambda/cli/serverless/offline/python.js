"use strict";

const { PassThrough } = require("node:stream");
const { createInterface } = require("node:readline");

const MARK = '{"__offline_payload__":';
const NOTHING = /^{"__offline_payload__": (null|false|0|"")}$/;

// The line for the runner if there is no result.
const failure = (errorType, errorMessage) =>
  `${MARK}${JSON.stringify({ errorType, errorMessage })}}\n`;

/**
 * Filter the output of a Python process for serverless-offline's runner.
 *
 * The runner waits for a line of standard output with a truthy result. If the process
 * died, or the result was None or followed output without a newline, it waited until
 * the function's timeout. Output between two requests, and most of standard error, was
 * lost.
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
    // A later request that writes to the dead process gets the error at once.
    child.stdin = { write: dead };
  });
  // Raised by a write to a process that has just ended.
  child.stdin.on("error", () => {});

  child.stdout = results;
  child.stderr = new PassThrough();
  return child;
};
