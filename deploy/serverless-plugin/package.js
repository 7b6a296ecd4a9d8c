"use strict";

// Builds the package as `make package` does, or looks at the one that is given, and
// hands it to the CLI. Without this, the CLI would pack source files and no dependency.

const { spawn } = require("node:child_process");
const { existsSync } = require("node:fs");
const { join } = require("node:path");

const RUNTIME = "python3.13";

// The function's environment as a plain object: CloudFormation's functions stay
// objects, and the smoke test knows that they have no value here.
const environmentOf = ({ functions, provider }) =>
  Object.assign(
    {},
    provider.environment,
    ...Object.values(functions).map(({ environment }) => environment),
  );

const run = (command, args, options) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, options);
    child.on("error", reject);
    child.on("close", (code) => resolve(code));
  });

// Calls `refuse` with the reason if there is no package.
module.exports = async function buildPackage({ service, serviceDir }, refuse) {
  const { architecture = "arm64", runtime } = service.provider;
  for (const [name, own] of Object.entries(service.functions)) {
    if ((own.architecture ?? architecture) !== architecture)
      refuse(`${name} has another architecture than ${architecture}: one package cannot serve both.`);
    if ((own.runtime ?? runtime) !== RUNTIME)
      refuse(`${name} runs on ${own.runtime ?? runtime}, and the package is built for ${RUNTIME}.`);
  }
  const python = join(serviceDir, ".venv", "bin", "python");
  if (!existsSync(python)) refuse("There is no .venv here. Run `make setup`, then try again.");
  const { artifact } = service.custom;
  const args = ["-m", "deploy.package", "--arch", architecture];
  if (artifact) args.push("--archive", artifact);
  const environment = JSON.stringify(environmentOf(service));
  const code = await run(python, [...args, "--environment", environment], {
    cwd: serviceDir,
    // Standard output is the CLI's own.
    stdio: ["ignore", process.stderr, process.stderr],
  });
  if (code !== 0)
    refuse(`The package was not ${artifact ? "accepted" : "built"}: the reason is above.`);
  service.package.artifact = artifact || join("dist", `lambda-${architecture}.zip`);
};
