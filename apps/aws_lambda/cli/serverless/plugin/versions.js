"use strict";

// Versions of functions, as far as the CLI does not handle them.

// Gives a version with SnapStart another logical ID. The CLI derives the ID from code and
// configuration, before resources/functions.yml adds SnapStart, and CloudFormation publishes no
// second version under the same ID.
function nameVersion(serverless, name, definition) {
  const { naming } = serverless.getProvider("aws");
  const { provider, resources } = serverless.service;
  const extension = resources.extensions[naming.getLambdaLogicalId(name)];
  const applyOn = extension?.Properties.SnapStart?.ApplyOn ?? "None";
  if (applyOn === "None") return;
  const { Resources, Outputs } = provider.compiledCloudFormationTemplate;
  const { [definition.versionLogicalId]: version } = Resources;
  delete Resources[definition.versionLogicalId];
  definition.versionLogicalId += applyOn;
  Resources[definition.versionLogicalId] = version;
  Outputs[naming.getLambdaVersionOutputLogicalId(name)].Value = {
    Ref: definition.versionLogicalId,
  };
}

// Replaces `!GetAtt HttpLambdaVersion.Version` in the resources with the version that this
// deployment publishes, whose logical ID contains a hash.
function resolveVersion(serverless, name, definition) {
  const { naming } = serverless.getProvider("aws");
  const placeholder = naming.getLambdaLogicalId(name).replace(/Function$/, "Version");
  const walk = (value) => {
    if (typeof value !== "object" || value === null) return;
    const attribute = value["Fn::GetAtt"];
    if (attribute?.[0] === placeholder) attribute[0] = definition.versionLogicalId;
    Object.values(value).forEach(walk);
  };
  walk(serverless.service.resources.Resources);
}

// Returns the versions of functions: {http: "12", tasks: "9"} for "http:12,tasks:9".
// Calls `refuse` with the reason for any other text.
function readVersions(text, functions, refuse) {
  const pairs = String(text).split(",").filter(Boolean);
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, version] = /^(\w+):(\d+)$/.exec(pair) ?? [];
      if (!functions.includes(name)) {
        refuse(
          `--param live=${text}: "${pair}" is not a function and its version. ` +
            `Use a list such as "http:12,tasks:9"; the functions are ${functions.join(", ")}.`,
        );
      }
      return [name, version];
    }),
  );
}

module.exports = { nameVersion, readVersions, resolveVersion };
