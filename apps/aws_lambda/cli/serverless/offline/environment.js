"use strict";

const { spawn } = require("node:child_process");
const { join } = require("node:path");
const { createInterface } = require("node:readline");

const RUNTIME = join(__dirname, "invoke.py");

/** An execution environment: a Python process that runs one function's handler. */
module.exports = class Environment {
  /** `version` is that of the files from which it starts. */
  constructor({ python, handler, steps, cwd, variables, version }) {
    this.version = version;
    this.process = spawn(python, ["-u", RUNTIME, handler, ...steps], {
      cwd,
      env: variables,
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    });
    this.channel = this.process.stdio[3];
    const messages = createInterface({ input: this.channel });
    messages.on("line", (line) => this.receive(JSON.parse(line)));
    // Both raise it when the process has ended and has not read all.
    for (const one of [this.channel, messages]) one.on("error", () => {});
    const { stdout, stderr } = this.process;
    createInterface({ input: stdout }).on("line", (line) => console.log(line));
    createInterface({ input: stderr }).on("line", (line) => console.error(line));

    /** How it ended, when it has. */
    this.ended = new Promise((resolve) => {
      this.process.on("error", ({ message }) => resolve(message));
      this.process.on("exit", (status, signal) =>
        resolve(signal ? `Signal: ${signal}` : `Exit status: ${status}`),
      );
    });
    const closed = new Promise((resolve) => this.channel.on("close", resolve));
    this.ended.then(async (ending) => {
      // A child process of the function may keep the socket open.
      setTimeout(() => this.channel.destroy(), 1000);
      await closed;
      this.receive({
        error: {
          errorType: "Runtime.ExitError",
          errorMessage: `Python ended. ${ending}`,
        },
      });
    });
    /** `{ready: true}`, or the traceback as `{failed}`, or the end as `{error}`. */
    this.started = this.message();
  }

  message() {
    return new Promise((resolve) => {
      this.receive = resolve;
    });
  }

  /**
   * Return the `{result}` of an event, or `{error: {errorType, errorMessage}}`.
   *
   * The process is killed after the timeout, if there is one.
   */
  async invoke(event, context, timeout) {
    const answer = this.message();
    this.channel.write(`${JSON.stringify({ event, context })}\n`);
    let error;
    const timer =
      timeout &&
      setTimeout(() => {
        error = {
          errorType: "Sandbox.Timedout",
          errorMessage: `Task timed out after ${timeout} seconds`,
        };
        // Python may not react to SIGTERM.
        this.process.kill("SIGKILL");
      }, timeout * 1000);
    const message = await answer;
    clearTimeout(timer);
    return error ? { error } : message;
  }

  end() {
    this.process.kill();
  }
};
