"use strict";

// Makes serverless-offline 14.8 run Python functions as API Gateway and Lambda do.
// Comments describe the fault that each fix is for. The plugin runs in the hooks of
// the `offline` command only, never when packaging or deploying.

const { dirname, join } = require("node:path");
const { pathToFileURL } = require("node:url");

const { findPython } = require("../interpreter");
const Functions = require("./functions");
const { fixRequests } = require("./requests");
const useLocalStage = require("./stage");

// How long a request waits for a busy execution environment.
const WAIT_MS = "300";

module.exports = class PythonOffline {
  constructor(serverless, options) {
    this.serverless = serverless;
    this.options = options;
    this.hooks = {
      "before:offline:start": () => this.fix(),
      "before:offline:start:init": () => this.fix(),
    };
  }

  async fix() {
    useLocalStage(this.serverless);
    // What `run` knows of the site.
    this.site = {
      static: [],
      written: [],
      variables: [],
      ...JSON.parse(process.env.DJANGO_ON_LAMBDA_SITE ?? "{}"),
    };
    this.fixConfiguration(this.serverless.service);
    // The package does not export these files, so they are imported by path.
    const root = dirname(require.resolve("serverless-offline"));
    const load = async (file) =>
      (await import(pathToFileURL(join(root, file)).href)).default;
    fixRequests(await load("events/http/HttpServer.js"));
    this.replaceFunctions(await load("lambda/LambdaFunctionPool.js"));
    if (process.env.STOP_WITH_STDIN) this.stopWithStdin();
  }

  fixConfiguration(service) {
    const { custom, functions, provider } = service;
    const configured = [provider, ...Object.values(functions)];
    for (const { environment = {} } of configured) {
      for (const [name, value] of Object.entries(environment)) {
        // !Ref, !Sub and !GetAtt have no value here and would become
        // "[object Object]". A reference to a parameter or a secret cannot be
        // resolved. An empty value would hide Django's default. The developer's own
        // environment and .env take precedence.
        const unknown =
          typeof value === "object" || /^$|^(ssm|secretsmanager):/.test(value);
        const own = name in process.env || this.site.variables.includes(name);
        if (unknown || own) delete environment[name];
      }
      if (environment.STAGE) environment.STAGE = "local";
    }
    // The site is at http://localhost here.
    Object.assign((provider.environment ??= {}), {
      STAGE: "local",
      LAMBDA_HOSTS: "localhost,127.0.0.1",
      LAMBDA_URL_SCHEME: "http",
    });

    // It responded with 400 to cookies that look like JSON.
    service.custom = {
      ...custom,
      "serverless-offline": {
        disableCookieValidation: true,
        ...custom?.["serverless-offline"],
      },
    };
  }

  // It started a process for each request that found none idle, served old code, and
  // lost the output and the errors of Python.
  replaceFunctions(LambdaFunctionPool) {
    const { Error } = this.serverless.classes;
    const { custom, provider } = this.serverless.service;
    const { ENVIRONMENT_WAIT_MS = WAIT_MS } = process.env;
    if (!/^\d+$/.test(ENVIRONMENT_WAIT_MS))
      throw new Error(
        `ENVIRONMENT_WAIT_MS is ${ENVIRONMENT_WAIT_MS}, which is not a number of milliseconds. Set one such as ${WAIT_MS}, or unset it.`,
        "NO_WAIT",
      );
    const functions = new Functions(this.serverless, {
      python: findPython(this.serverless, (reason) => {
        throw new Error(reason, "NO_PYTHON");
      }),
      site: this.site,
      noTimeout: { ...custom["serverless-offline"], ...this.options }.noTimeout,
      waitMs: Number(ENVIRONMENT_WAIT_MS),
    });
    const { start, get, cleanup } = LambdaFunctionPool.prototype;
    Object.assign(LambdaFunctionPool.prototype, {
      start() {
        functions.files.watch();
        start.call(this);
      },
      get(key, definition) {
        const runtime = definition.runtime ?? provider.runtime ?? "";
        return runtime.startsWith("python")
          ? functions.get(key, definition)
          : get.call(this, key, definition);
      },
      async cleanup() {
        functions.endAll();
        await cleanup.call(this);
      },
    });
  }

  stopWithStdin() {
    // The parent process holds the other end, and may be killed.
    process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
    process.stdin.resume();
  }
};
