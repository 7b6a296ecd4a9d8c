"use strict";

// Returns `params.default` of serverless.yml: the values of parameters.yml, and those of
// `custom.parameters` in serverless.yml, which apply to all stages too.

const { join } = require("node:path");

module.exports = async ({ resolveConfigurationProperty, resolveVariable }) => ({
  ...(await resolveVariable(`file(${join(__dirname, "parameters.yml")})`)),
  ...(await resolveConfigurationProperty(["custom", "parameters"])),
});
