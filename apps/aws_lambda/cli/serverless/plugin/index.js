"use strict";

// Checks the parameters of a stage, leaves out what refers to parts that the site does not have,
// adds the deployment's environment variables and the site's schedules, builds the package,
// completes the stages of the gateways, turns on streaming, and adds an alias "live" to each function, which all
// event sources invoke.
//
// Each deployment publishes a version of each function. Only the alias decides which version
// is live, so a new one can be checked before it gets traffic.

const { addBoundary, useExecutionRole } = require("./bootstrap");
const completeGateways = require("./gateways");
const buildPackage = require("./package");
const { checkParameters } = require("./parameters");
const { leaveOut } = require("./parts");
const { useRuntime } = require("./runtime");
const { addSchedules } = require("./schedules");
const { useStreaming } = require("./streaming");
const { nameVersion, readVersions, resolveVersion } = require("./versions");

const ALIAS = "live";

module.exports = class Deployment {
  constructor(serverless, options, { log }) {
    this.serverless = serverless;
    this.refuse = (reason) => {
      // A user error, which the CLI prints without a stack trace.
      throw new serverless.classes.Error(reason, "DEPLOYMENT_REFUSED");
    };
    // Before the CLI resolves variables with them, and fails with a message of its own.
    checkParameters(serverless, this.refuse, (reason) => log.warning(reason));
    this.hooks = {
      initialize: () => {
        leaveOut(serverless, this.refuse);
        this.addEnvironment();
        useRuntime(serverless, this.refuse);
        useStreaming(serverless);
        addSchedules(serverless, this.refuse);
      },
      "before:package:createDeploymentArtifacts": () => this.build(),
      // The same in `deploy function`.
      "before:package:function:package": () => this.build(),
      "before:package:compileFunctions": () => this.invokeAliases(),
      "after:package:compileFunctions": () => this.addAliases(),
      "before:package:finalize": () => {
        completeGateways(this.serverless);
        this.allowParameters();
        addBoundary(serverless);
      },
      "before:deploy:deploy": () => useExecutionRole(serverless),
      "before:remove:remove": () => useExecutionRole(serverless),
    };
  }

  addEnvironment() {
    const { custom, provider } = this.serverless.service;
    const added = Object.entries(custom.deployment.environment).map(([name, value]) => [
      name,
      // As the CLI does with those of `provider.environment`.
      typeof value === "object" ? value : String(value),
    ]);
    const { parametersVersion } = custom.deployment;
    if (parametersVersion) added.push(["LAMBDA_PARAMETERS_VERSION", String(parametersVersion)]);
    provider.environment = { ...Object.fromEntries(added), ...provider.environment };
  }

  build() {
    return buildPackage(this.serverless, this.refuse);
  }

  // The CLI's event sources and permissions use this.
  invokeAliases() {
    for (const [name, definition] of this.functions()) {
      definition.targetAlias = { name: ALIAS, logicalId: logicalId(name) };
    }
  }

  addAliases() {
    const { custom, provider } = this.serverless.service;
    const { Resources, Outputs } = provider.compiledCloudFormationTemplate;
    const names = this.functions().map(([name]) => name);
    const live = readVersions(custom.deployment.live, names, this.refuse);
    for (const [name, definition] of this.functions()) {
      nameVersion(this.serverless, name, definition);
      resolveVersion(this.serverless, name, definition);
      // Otherwise a failed update leaves its version behind, and Lambda publishes no second
      // version of the same code: the deployment could not be repeated.
      Resources[definition.versionLogicalId].DeletionPolicy = "RetainExceptOnCreate";
      const functionId = this.serverless.getProvider("aws").naming.getLambdaLogicalId(name);
      Resources[logicalId(name)] = {
        Type: "AWS::Lambda::Alias",
        Properties: {
          Name: ALIAS,
          FunctionName: { Ref: functionId },
          FunctionVersion: live[name] ?? {
            "Fn::GetAtt": [definition.versionLogicalId, "Version"],
          },
        },
      };
      // Releases and other stacks find the function by this output.
      Outputs[`${functionId.replace("LambdaFunction", "")}Function`] = {
        Description: `Name of the function ${name}`,
        Value: { Ref: functionId },
      };
    }
  }

  // The roles may read the parameters that environment variables refer to.
  allowParameters() {
    const { provider, resources } = this.serverless.service;
    const environments = [provider, ...this.functions().map(([, definition]) => definition)];
    const policy = resources.Resources.SitePolicy?.Properties.PolicyDocument;
    const statement = policy?.Statement.find(({ Action }) => Action === "ssm:GetParameters");
    if (!statement) return;
    const { Resource } = statement;
    const allowed = new Set(Resource.map((arn) => arn["Fn::Sub"]));
    for (const value of environments.flatMap(({ environment }) => Object.values(environment ?? {}))) {
      const [, name] = /^ssm:\/(.+)$/.exec(value) ?? [];
      const arn = `arn:\${AWS::Partition}:ssm:\${AWS::Region}:\${AWS::AccountId}:parameter/${name}`;
      if (name && !allowed.has(arn)) Resource.push({ "Fn::Sub": arn });
      allowed.add(arn);
    }
  }

  functions() {
    return Object.entries(this.serverless.service.functions);
  }
};

function logicalId(name) {
  return `${name[0].toUpperCase()}${name.slice(1)}Live`;
}
