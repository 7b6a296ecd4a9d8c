"use strict";

// Builds the package, and settles the conditions of the template.
//
// Gives each function the alias "live", and its events to that. A version is
// published by each deployment; which of them is live is decided by the alias
// alone, so that a new version can be checked before anybody is sent to it.

const buildPackage = require("./serverless-plugin/package");
const checkParameters = require("./serverless-plugin/parameters");
const settle = require("./serverless-plugin/conditions");

const ALIAS = "live";

module.exports = class Deployment {
  constructor(serverless) {
    this.serverless = serverless;
    this.hooks = {
      "before:package:createDeploymentArtifacts": () => this.build(),
      // What `deploy function` does instead.
      "before:package:function:package": () => this.build(),
      "before:package:compileFunctions": () => this.aimEvents(),
      "after:package:compileFunctions": () => this.addAliases(),
      "before:package:finalize": () => this.settleResources(),
    };
  }

  async build() {
    const { service } = this.serverless;
    const { custom, provider, resources } = service;
    const problem = checkParameters(custom);
    if (problem) throw new this.serverless.classes.Error(problem, "PARAMETERS_REFUSED");
    provider.environment = settle(provider.environment, resources.Conditions);
    await buildPackage(this.serverless);
  }

  // The framework's own events and permissions ask for this.
  aimEvents() {
    for (const [name, definition] of this.functions()) {
      definition.targetAlias = { name: ALIAS, logicalId: logicalId(name) };
    }
  }

  addAliases() {
    const { custom, provider } = this.serverless.service;
    const { Resources, Outputs } = provider.compiledCloudFormationTemplate;
    const kept = readVersions(custom.live);
    for (const [name, definition] of this.functions()) {
      // Otherwise a version of an update that failed stays, and Lambda publishes no
      // second one of the same: the deployment could not be repeated.
      Resources[definition.versionLogicalId].DeletionPolicy = "RetainExceptOnCreate";
      const function_ = this.serverless
        .getProvider("aws")
        .naming.getLambdaLogicalId(name);
      Resources[logicalId(name)] = {
        Type: "AWS::Lambda::Alias",
        Properties: {
          Name: ALIAS,
          FunctionName: { Ref: function_ },
          FunctionVersion: kept[name] ?? {
            "Fn::GetAtt": [definition.versionLogicalId, "Version"],
          },
        },
      };
      // What the function's name is to others, and to `make deploy`.
      Outputs[`${function_.replace("LambdaFunction", "")}Function`] = {
        Description: `Name of the function ${name}`,
        Value: { Ref: function_ },
      };
    }
  }

  settleResources() {
    const { service } = this.serverless;
    const { Conditions, ...resources } = service.resources;
    service.resources = settle(resources, Conditions);
    // The name of a REST API's deployment changes with each; a mapping needs its stage.
    const { Resources } = service.provider.compiledCloudFormationTemplate;
    const mapping = service.resources.Resources.DomainMapping;
    if (mapping) {
      mapping.DependsOn = Object.keys(Resources).filter((name) =>
        /^AWS::ApiGateway(::Deployment|V2::Stage)$/.test(Resources[name].Type),
      );
    }
  }

  functions() {
    return Object.entries(this.serverless.service.functions);
  }
};

function logicalId(name) {
  return `${name[0].toUpperCase()}${name.slice(1)}Live`;
}

// "http:12,tasks:9" -> {http: "12", tasks: "9"}
function readVersions(text) {
  const versions = {};
  for (const pair of String(text || "").split(",").filter(Boolean)) {
    const [, name, version] = /^(\w+):(\d+)$/.exec(pair) ?? [];
    if (!name) {
      throw new Error(`The parameter live is like "http:12,tasks:9", not "${text}".`);
    }
    versions[name] = version;
  }
  return versions;
}
