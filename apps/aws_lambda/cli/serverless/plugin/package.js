"use strict";

// Builds the package, or checks a given one, and passes it to the CLI.
// The CLI alone would pack source files without dependencies.

const { spawn } = require("node:child_process");
const { join } = require("node:path");

const { commandsModule, findPython } = require("../interpreter");

const RUNTIMES = /^python3\.1[2-4]$/;
// All names and values together.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MAX_ENVIRONMENT_BYTES = 4096;

// The functions' environment variables. CloudFormation functions stay objects, for which the
// smoke test has stand-ins.
const environmentOf = ({ functions, provider }) =>
  Object.assign(
    {},
    provider.environment,
    ...Object.values(functions).map(({ environment }) => environment),
  );

// Returns why Lambda would reject the environment variables of a function, or "". The values of
// CloudFormation functions are unknown and count as empty.
function environmentProblem(name, environment) {
  const sizes = Object.entries(environment).map(([variable, value]) => {
    const known = value !== null && typeof value === "object" ? "" : String(value);
    return [variable, Buffer.byteLength(variable + known)];
  });
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  if (total <= MAX_ENVIRONMENT_BYTES) return "";
  const largest = sizes
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([variable, size]) => `${variable} (${size} bytes)`);
  return (
    `The environment variables of the function ${name} have at least ${total} bytes, names and values together. ` +
    `Lambda's limit is ${MAX_ENVIRONMENT_BYTES}. The largest are ${largest.join(", ")}. ` +
    "Put long values into a parameter, and refer to it: docs/secrets.md"
  );
}

const run = (command, args, options) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, options);
    child.on("error", reject);
    child.on("close", (code) => resolve(code));
  });

// Calls `refuse` with the reason if there is no package.
module.exports = async function buildPackage(serverless, refuse) {
  const { service, serviceDir } = serverless;
  const { architecture = "arm64", runtime } = service.provider;
  if (!RUNTIMES.test(runtime))
    refuse(
      `The runtime ${runtime} is not supported: the package is for python3.12, python3.13 or python3.14. ` +
        "Correct `provider.runtime` in serverless.yml.",
    );
  for (const [name, own] of Object.entries(service.functions)) {
    if ((own.architecture ?? architecture) !== architecture)
      refuse(
        `The function ${name} has the architecture ${own.architecture}, but the package is for ${architecture}. ` +
          "Remove `architecture` from the function in serverless.yml.",
      );
    if ((own.runtime ?? runtime) !== runtime)
      refuse(
        `The function ${name} has the runtime ${own.runtime}, but the package is for ${runtime}. ` +
          "Remove `runtime` from the function in serverless.yml.",
      );
    const problem = environmentProblem(name, { ...service.provider.environment, ...own.environment });
    if (problem) refuse(problem);
  }
  const python = findPython(serverless, refuse);
  const { artifact } = service.custom.deployment;
  const args = ["-m", commandsModule(service.plugins), "package", "--arch", architecture];
  if (artifact) args.push("--archive", artifact);
  const environment = JSON.stringify(environmentOf(service));
  const code = await run(python, [...args, "--environment", environment], {
    cwd: serviceDir,
    // Standard output belongs to the CLI.
    stdio: ["ignore", process.stderr, process.stderr],
  });
  if (code !== 0)
    refuse(`The package was not ${artifact ? "accepted" : "built"}; the reason is above.`);
  service.package.artifact = artifact || join("dist", `lambda-${architecture}.zip`);
};
