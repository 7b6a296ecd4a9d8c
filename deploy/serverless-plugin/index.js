"use strict";

// Checks the parameters of a stage, and builds the package.
//
// Gives each function the alias "live", and its events to that. A version is
// published by each deployment; which of them is live is decided by the alias
// alone, so that a new version can be checked before anybody is sent to it.

const buildPackage = require("./package");
const { checkParameters } = require("./parameters");
const { nameVersion, readVersions } = require("./versions");

const ALIAS = "live";

module.exports = class Deployment {
  constructor(serverless) {
    this.serverless = serverless;
    this.refuse = (reason) => {
      // As a mistake of the user, which the CLI shows without a stack trace.
      throw new serverless.classes.Error(reason, "DEPLOYMENT_REFUSED");
    };
    // Before the CLI looks anything up by them, and says in its own words what it misses.
    checkParameters(serverless, this.refuse);
    this.hooks = {
      "before:package:createDeploymentArtifacts": () => this.build(),
      // What `deploy function` does instead.
      "before:package:function:package": () => this.build(),
      "before:package:compileFunctions": () => this.aimEvents(),
      "after:package:compileFunctions": () => this.addAliases(),
      "before:package:finalize": () => this.mapDomainLast(),
    };
  }

  build() {
    return buildPackage(this.serverless, this.refuse);
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
    const names = this.functions().map(([name]) => name);
    const kept = readVersions(custom.live, names, this.refuse);
    for (const [name, definition] of this.functions()) {
      nameVersion(this.serverless, name, definition);
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

  // The deployment of a REST API has another logical ID each time, and a mapping needs its
  // stage, which comes with it.
  mapDomainLast() {
    const { provider, resources } = this.serverless.service;
    const { Resources } = provider.compiledCloudFormationTemplate;
    resources.Resources.DomainMapping.DependsOn = Object.keys(Resources).filter((name) =>
      /^AWS::ApiGateway(::Deployment|V2::Stage)$/.test(Resources[name].Type),
    );
  }

  functions() {
    return Object.entries(this.serverless.service.functions);
  }
};

function logicalId(name) {
  return `${name[0].toUpperCase()}${name.slice(1)}Live`;
}
