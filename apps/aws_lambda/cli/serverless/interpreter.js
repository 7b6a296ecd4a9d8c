"use strict";

// Which Python the plugins start, and the name of the commands' module in it.

const { spawnSync } = require("node:child_process");
const { existsSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

// The commands write it into their copy of this folder in a site, with the name of their module.
const ORIGIN = join(__dirname, "origin.json");

// Returns the module "package.cli". This repository names its folders in `plugins` of
// serverless.yml: "./package/cli/serverless/plugin".
function commandsModule(plugins) {
  if (existsSync(ORIGIN)) return JSON.parse(readFileSync(ORIGIN, "utf8")).module;
  const names = plugins.map((name) => /^\.\/(.+)\/serverless\//.exec(name)?.[1]);
  return names.find(Boolean).replaceAll("/", ".");
}

// Returns the interpreter that DJANGO_ON_LAMBDA_PYTHON names, that of the service's .venv or of the
// active environment, or a `python3` that has the package and Django. Calls `refuse` with the reason if there is none.
function findPython({ service, serviceDir }, refuse) {
  const given = process.env.DJANGO_ON_LAMBDA_PYTHON;
  if (given) {
    if (!existsSync(given))
      refuse(
        `DJANGO_ON_LAMBDA_PYTHON is ${given}, which does not exist. Correct it, or unset it to use .venv.`,
      );
    return given;
  }
  const own = join(serviceDir, ".venv", "bin", "python");
  const active = join(process.env.VIRTUAL_ENV ?? "", "bin", "python");
  for (const python of process.env.VIRTUAL_ENV ? [own, active] : [own])
    if (existsSync(python)) return python;
  const module = commandsModule(service.plugins);
  const search = `import django, importlib.util as u, sys; sys.exit(not u.find_spec("${module}"))`;
  if (spawnSync("python3", ["-c", search], { cwd: serviceDir }).status === 0) return "python3";
  return refuse(
    `${own} does not exist, and python3 cannot import Django and ${module}. Create the virtual environment ` +
      "(in a clone: make setup), activate one, or set DJANGO_ON_LAMBDA_PYTHON to its Python.",
  );
}

module.exports = { commandsModule, findPython };
