"use strict";

// The runtime client of the functions, by the parameter `runtime`: AWS's, or the one of the
// package, which Lambda starts by a wrapper.

const { commandsModule } = require("../interpreter");

const WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER";

// Returns the path of the wrapper in the package.
const wrapperOf = (plugins) => `/var/task/${commandsModule(plugins).replaceAll(".", "/").replace(/\/cli$/, "/runtime/wrapper")}`;

// Adds the variable to all functions. Calls `refuse` with the reason if one has it already: only
// one wrapper runs, so a layer that needs it would be without effect, or the runtime client would.
function useRuntime({ service }, refuse) {
  const { custom, functions, plugins, provider } = service;
  if (custom.deployment.runtime !== "own") return;
  const places = Object.entries(functions).map(([name, own]) => [`functions.${name}.environment`, own.environment]);
  places.unshift(["provider.environment", provider.environment]);
  for (const [place, environment] of places)
    if (environment && WRAPPER in environment)
      refuse(
        `${WRAPPER} is ${JSON.stringify(environment[WRAPPER])} in ${place}, and the parameter runtime is own, which ` +
          "needs the variable too. Remove it with the layer that it belongs to, or set runtime to aws: docs/runtime.md",
      );
  provider.environment = { ...provider.environment, [WRAPPER]: wrapperOf(plugins) };
}

module.exports = { useRuntime };
