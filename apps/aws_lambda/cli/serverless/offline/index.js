"use strict";

// Makes serverless-offline 14.8 run Python functions as API Gateway and Lambda do.
// Comments describe the fault that each fix is for. The plugin runs in the hooks of
// the `offline` command only, never when packaging or deploying.

const childProcess = require("node:child_process");
const { syncBuiltinESMExports } = require("node:module");
const { dirname, join } = require("node:path");
const { pathToFileURL } = require("node:url");

const { findPython } = require("../interpreter");
const fixRequests = require("./requests");
const useLocalStage = require("./stage");
const watchPython = require("./python");

module.exports = class PythonOffline {
  constructor(serverless) {
    this.serverless = serverless;
    this.hooks = {
      "before:offline:start": () => this.fix(),
      "before:offline:start:init": () => this.fix(),
    };
  }

  async fix() {
    useLocalStage(this.serverless);
    this.fixConfiguration(this.serverless.service);
    this.fixInterpreter();
    // The package does not export these files, so they are imported by path.
    const root = dirname(require.resolve("serverless-offline"));
    const load = async (file) =>
      (await import(pathToFileURL(join(root, file)).href)).default;
    fixRequests(
      {
        HttpServer: await load("events/http/HttpServer.js"),
        LambdaContext: await load("lambda/LambdaContext.js"),
        LambdaFunction: await load("lambda/LambdaFunction.js"),
      },
      this.serverless.service,
    );
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
        // environment takes precedence.
        const unknown =
          typeof value === "object" || /^$|^(ssm|secretsmanager):/.test(value);
        if (unknown || name in process.env) delete environment[name];
      }
      if (environment.STAGE) environment.STAGE = "local";
    }
    // The site is at http://localhost here.
    Object.assign((provider.environment ??= {}), {
      STAGE: "local",
      LAMBDA_HOSTS: "localhost,127.0.0.1",
      LAMBDA_URL_SCHEME: "http",
    });

    // It rejects runtimes newer than itself, but starts `python3` for any of them.
    for (const item of configured) {
      if (/^python3\.1[4-9]$/.test(item.runtime)) item.runtime = "python3.13";
    }

    // It responded with 400 to cookies that look like JSON.
    service.custom = {
      ...custom,
      "serverless-offline": {
        disableCookieValidation: true,
        ...custom?.["serverless-offline"],
      },
    };
  }

  fixInterpreter() {
    // It starts the `python3` of the active virtual environment or of PATH.
    const python = findPython(this.serverless, (reason) => {
      throw new this.serverless.classes.Error(reason, "NO_PYTHON");
    });

    const { spawn } = childProcess;
    childProcess.spawn = (command, args, options) =>
      Array.isArray(args) && String(args[1]).endsWith("invoke.py")
        ? // A shell would break on a space in the path and receive the signals for
          // Python.
          watchPython(spawn(python, args, { ...options, shell: false }))
        : spawn(command, args, options);
    syncBuiltinESMExports();
  }

  stopWithStdin() {
    // The parent process holds the other end, and may be killed.
    process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
    process.stdin.resume();
  }
};
