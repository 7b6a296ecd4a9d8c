"use strict";

// Schedules of `custom.schedules`, a line each:
//
//   send_report --to "the whole team": cron(0 7 ? * MON *) Europe/Berlin
//
// The command line of a management command, when it runs, and the time zone, UTC by default.

const { createHash } = require("node:crypto");

const WHEN = /^((?:rate|cron|at)\([^()]+\))(?: +([\w+-]+(?:\/[\w+-]+)*))?$/;

// Returns the words of a command line as a shell does: quotes hold spaces.
function wordsOf(line) {
  return Array.from(String(line).matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g), ([word]) =>
    word.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"),
  );
}

// Returns {command, args}, the input of a schedule.
function inputOf(line) {
  const [command, ...args] = wordsOf(line);
  return JSON.stringify({ command, args });
}

// Returns whether a resource is the schedule of a command line.
function runs(line, { Type, Properties }) {
  if (Type !== "AWS::Scheduler::Schedule" || typeof Properties.Target.Input !== "string") return false;
  const { command, args = [] } = JSON.parse(Properties.Target.Input);
  return JSON.stringify({ command, args }) === inputOf(line);
}

// Returns the logical ID of a schedule: "ScheduleSendReport" and a part of a hash, since command
// lines may differ in their arguments only.
function logicalId(line) {
  const [command] = wordsOf(line);
  const name = command.split(/[^A-Za-z0-9]+/).map((word) => word.slice(0, 1).toUpperCase() + word.slice(1));
  return `Schedule${name.join("")}${createHash("sha256").update(inputOf(line)).digest("hex").slice(0, 8)}`;
}

// Adds the schedules to the resources, and to the function the command lines that they run. A
// schedule of the resources that has the same command line gets the time of `custom.schedules`.
// Calls `refuse` with the reason for a schedule that cannot work.
function addSchedules({ service }, refuse) {
  const schedules = Object.entries(service.custom.schedules ?? {});
  if (!schedules.length) return;
  const { Resources } = service.resources;
  if (!service.functions.schedule || !Resources.SchedulerRole)
    refuse(
      "custom.schedules requires the function schedule and resources/schedules.yml, which serverless.yml leaves out: " +
        "add them again.",
    );
  for (const [line, value] of schedules) {
    const [, expression, timezone] = WHEN.exec(value) ?? [];
    if (!wordsOf(line).length || !expression)
      refuse(
        `custom.schedules has "${line}: ${value}". A schedule is the command line of a management command, and ` +
          'when it runs: "send_report --weekly: cron(0 7 ? * MON *)", "rate(1 hour)", or with a time zone ' +
          '"cron(0 7 * * ? *) Europe/Berlin": docs/commands.md#schedules',
      );
    const own = Object.values(Resources).find((resource) => runs(line, resource));
    const schedule = (own ?? (Resources[logicalId(line)] = newSchedule(line))).Properties;
    schedule.ScheduleExpression = expression;
    if (timezone) schedule.ScheduleExpressionTimezone = timezone;
  }
  const { schedule } = service.functions;
  const lines = schedules.map(([line]) => wordsOf(line));
  schedule.environment = { ...schedule.environment, LAMBDA_SCHEDULES: JSON.stringify(lines) };
}

function newSchedule(line) {
  return {
    Type: "AWS::Scheduler::Schedule",
    // Its role may invoke only the alias.
    DependsOn: ["ScheduleLive"],
    Properties: {
      GroupName: { Ref: "ScheduleGroup" },
      Description: `Runs ${wordsOf(line)[0]}`,
      FlexibleTimeWindow: { Mode: "OFF" },
      Target: {
        Arn: { "Fn::Sub": "${ScheduleLambdaFunction.Arn}:live" },
        RoleArn: { "Fn::GetAtt": ["SchedulerRole", "Arn"] },
        // Retries of the invocation, not of the command.
        RetryPolicy: { MaximumRetryAttempts: 3, MaximumEventAgeInSeconds: 3600 },
        Input: inputOf(line),
      },
    },
  };
}

module.exports = { addSchedules };
