"use strict";

// What the CLI does not know of the versions of functions.

// Gives a version with SnapStart a name of its own. The CLI makes its name a digest of
// code and configuration before SnapStart comes from deploy/resources/functions.yml, and
// CloudFormation publishes no second version of the same name.
function nameVersion(serverless, name, definition) {
  const { naming } = serverless.getProvider("aws");
  const { provider, resources } = serverless.service;
  const extension = resources.extensions[naming.getLambdaLogicalId(name)];
  const when = extension?.Properties.SnapStart?.ApplyOn ?? "None";
  if (when === "None") return;
  const { Resources, Outputs } = provider.compiledCloudFormationTemplate;
  const { [definition.versionLogicalId]: version } = Resources;
  delete Resources[definition.versionLogicalId];
  definition.versionLogicalId += when;
  Resources[definition.versionLogicalId] = version;
  Outputs[naming.getLambdaVersionOutputLogicalId(name)].Value = {
    Ref: definition.versionLogicalId,
  };
}

// Returns the versions of functions: {http: "12", tasks: "9"} for "http:12,tasks:9".
// Calls `refuse` with the reason if the text is not like that.
function readVersions(text, functions, refuse) {
  const pairs = String(text).split(",").filter(Boolean);
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, version] = /^(\w+):(\d+)$/.exec(pair) ?? [];
      if (!functions.includes(name)) {
        refuse(
          `The parameter live is like "http:12,tasks:9", not "${text}". ` +
            `The functions are ${functions.join(", ")}.`,
        );
      }
      return [name, version];
    }),
  );
}

module.exports = { nameVersion, readVersions };
